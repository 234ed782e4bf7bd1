"""Delete old rows that have ended, a chunk at a time; a batch keeps its counts and a rollup.

Everything walks by primary key: ids ascend with the time at which a row was made, so that a walk
up to the id of a moment meets everything that can have ended before it, in bounded steps and
without an index of its own. No transaction is longer than a chunk, and the rows decide: one that
is retried at the same instant is either pruned or not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections
from django.db.models import F, Q, QuerySet

from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.attempt import Attempt
from django_agenda.models.batch import Batch
from django_agenda.models.digest import Digest
from django_agenda.models.execution import Execution
from django_agenda.models.identity import first_uuid7
from django_agenda.models.operation import Operation
from django_agenda.models.transactions import in_transaction
from django_agenda.models.worker import Worker

from .rollup import Member, rollup_of

BATCHES, WORKERS = "batches", "workers"
_MEMBER = ("batch", *Member._fields[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Say what is old: what has ended before these moments; None, or no entry, is kept.

    `executions` has a moment by status, held against the end of the batch, or of the execution
    when it has none. With `batches` the record of a batch goes, and whatever is left of its rows.
    """

    executions: Mapping[str, datetime] = field(default_factory=dict)
    batches: datetime | None = None
    workers: datetime | None = None


class _Seen(NamedTuple):
    id: UUID
    batch_id: int | None
    status: str
    finished_at: datetime | None


def prune(using: str, rules: Rules, *, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Prune chunk by chunk: each step is one chunk, and gives how many rows went, by what they are.

    The keys are statuses of executions, "batches" and "workers". What was pruned stays pruned
    when the walk is not finished; the next one begins anew.
    """
    yield from _prune_executions(using, rules, dry_run=dry_run)
    if rules.batches is not None:
        yield from _prune_batches(using, rules.batches, dry_run=dry_run)
    if rules.workers is not None:
        yield _prune_workers(using, rules.workers, dry_run=dry_run)


def drop_batch(using: str, batch: Batch, *, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete the record of a batch that has ended and all its rows, chunk by chunk.

    Batch.delete() does the same in one transaction, with every row in memory: with a million
    executions that is minutes and gigabytes. A batch that is reopened meanwhile stays.
    """
    members = Execution.objects.using(using).filter(batch=batch, status__in=Batch.ENDED)
    after = -1
    while page := list(
        members.filter(position__gt=after)
        .order_by("position")
        .values_list("pk", "status", "position")[: get_settings().CHUNK_SIZE]
    ):
        after = page[-1][2]
        gone = Counter(status for _, status, _ in page)
        if not dry_run:
            rows = in_transaction(using, partial(_delete, using, [row[0] for row in page]))
            gone = Counter(row.status for row in rows)
        yield gone
    if dry_run:
        yield Counter({BATCHES: 1})
        return
    if not Execution.objects.using(using).filter(batch=batch).exists():
        Batch.objects.using(using).filter(pk=batch.pk, finished_at__isnull=False).delete()
        yield Counter({BATCHES: 1})


def _prune_executions(using: str, rules: Rules, *, dry_run: bool) -> Iterator[Counter[str]]:
    if not rules.executions:
        return
    rows = Execution.objects.using(using).filter(pk__lt=first_uuid7(max(rules.executions.values())))
    page = rows
    while found := _look(page):
        page = rows.filter(pk__gt=found[-1].id)
        old = _old(using, found, rules)
        if old and not dry_run:
            yield _prune_chunk(using, old)
        else:
            yield Counter(row.status for row in old)


def _look(rows: QuerySet[Execution]) -> list[_Seen]:
    columns = rows.order_by("pk").values_list("pk", "batch_id", "status", "finished_at")
    return [_Seen._make(row) for row in columns[: get_settings().CHUNK_SIZE]]


def _old(using: str, found: Sequence[_Seen], rules: Rules) -> list[_Seen]:
    """Keep what may go; the members of a batch are as old as its end."""
    ids = {row.batch_id for row in found if row.batch_id is not None}
    ends: dict[int, datetime | None] = {}
    if ids:
        ended = Batch.objects.using(using).filter(pk__in=ids, finished_at__isnull=False)
        ends = dict(ended.values_list("pk", "finished_at"))
    old = []
    for row in found:
        end = row.finished_at if row.batch_id is None else ends.get(row.batch_id)
        before = rules.executions.get(row.status)
        if before is not None and end is not None and end < before:
            old.append(row)
    return old


def _prune_chunk(using: str, old: Sequence[_Seen]) -> Counter[str]:
    """Move a chunk of rows into the rollups of their batches, in one transaction."""

    def prune() -> Counter[str]:
        gone = _delete(using, [row.id for row in old])
        members: defaultdict[int, list[Member]] = defaultdict(list)
        for row in gone:
            if row.batch_id is not None:
                members[row.batch_id].append(row)
        if members:
            _roll_up(using, members)
        return Counter(row.status for row in gone)

    return in_transaction(using, prune)


def _roll_up(using: str, members: Mapping[int, Sequence[Member]]) -> None:
    batches = Batch.objects.using(using)
    for batch in batches.filter(pk__in=list(members)).order_by("pk").select_for_update():
        rollup = rollup_of(batch)
        for row in members[batch.pk]:
            rollup.add(row, batch.start)
        batches.filter(pk=batch.pk).update(rollup=rollup.text(), version=F("version") + 1)
    Digest.objects.using(using).filter(pk__in=list(members)).delete()


def _delete(using: str, ids: Sequence[UUID]) -> list[Member]:
    """Delete those of these executions that have ended, and what belongs to them."""
    # The status is judged here: asked for it, PostgreSQL may take an index and read all of it.
    found = bulk.lock(using, Execution, [id_.hex for id_ in ids], ("id", *_MEMBER))
    locked = {bulk.read_id(row[0]): _member(using, row[1:]) for row in found}
    gone = [id_ for id_, row in locked.items() if row.status in Batch.ENDED]
    if not gone:
        return []
    bulk.clear(using, Execution, "parent", gone)
    bulk.clear(using, Batch, "parent", gone)
    if _is_referred_to():
        Execution.objects.using(using).filter(pk__in=gone).delete()
    else:
        bulk.delete(using, Attempt, "execution", gone)
        bulk.delete(using, Execution, "id", gone)
    return [locked[id_] for id_ in gone]


def _member(using: str, columns: Sequence[Any]) -> Member:
    found = Member._make(columns)
    if found.finished_at is None:
        return found
    return found._replace(finished_at=bulk.read_moment(found.finished_at, connections[using]))


def _is_referred_to() -> bool:
    """Tell whether models of the project point at executions: then Django must see to them."""
    ours: tuple[Any, ...] = (Attempt, Batch, Execution)
    return any(one.related_model not in ours for one in Execution._meta.related_objects)


def _prune_batches(using: str, before: datetime, *, dry_run: bool) -> Iterator[Counter[str]]:
    old = Batch.objects.using(using).filter(finished_at__lt=before).order_by("pk")
    after = 0
    while batch := old.filter(pk__gt=after).first():
        after = batch.pk
        yield from drop_batch(using, batch, dry_run=dry_run)
    if not dry_run:
        # They are few, and short once they have ended.
        Operation.objects.using(using).filter(finished_at__lt=before).delete()


def _prune_workers(using: str, before: datetime, *, dry_run: bool) -> Counter[str]:
    ended = ~Q(status__in=Worker.LIVING) & Q(stopped_at__lt=before)
    old = Worker.objects.using(using).filter(ended)
    return Counter({WORKERS: old.count() if dry_run else old.delete()[0]})
