"""Hold the counts of batches against their rows, and put them right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from django.db import connections, transaction

from django_agenda.models import counters
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction

from .callbacks import fire
from .enqueue import tell
from .rollup import Rollup

# How many executions one statement may count, unless a single batch has more.
MOST_AT_ONCE = 100_000
_PAGE = 200


class Drift(NamedTuple):
    """Hold how the counts of a batch differ from what they should be: by how much, by name."""

    batch_id: int
    deltas: Mapping[str, int]
    total: int
    is_unclosed: bool
    """It has not the mark of an end that it should have, or has one that it should not."""


class _Standing(NamedTuple):
    batch_id: int
    counted: dict[str, int]
    total: int
    has_end: bool
    rows: Counter[str]


def audit(using: str, *, repair: bool) -> Iterator[tuple[int, list[Drift]]]:
    """Go through all batches; each step gives how many were looked at, and those that differ.

    A batch's counts, rows and rollup are read in one statement, and so at one instant: a running
    worker is no drift. `repair` locks a batch, looks again, and changes it then.
    """
    for page in _pages(using):
        drifts = _drifts(using, page)
        if repair:
            drifts = [done for one in drifts if (done := _repair(using, one.batch_id))]
        yield len(page), drifts


def _pages(using: str) -> Iterator[list[int]]:
    after = 0
    while True:
        batches = Batch.objects.using(using).filter(pk__gt=after).order_by("pk")
        found = list(batches.values_list("pk", "total")[:_PAGE])
        if not found:
            return
        page: list[int] = []
        size = 0
        for pk, total in found:
            if page and size + total > MOST_AT_ONCE:
                break
            page.append(pk)
            size += total
        after = page[-1]
        yield page


def _drifts(using: str, ids: Sequence[int]) -> list[Drift]:
    return [drift for one in _standings(using, ids) if (drift := _drift(one))]


def _standings(using: str, ids: Sequence[int]) -> list[_Standing]:
    connection = connections[using]
    quote = connection.ops.quote_name
    batches, rows = quote(Batch._meta.db_table), quote(Execution._meta.db_table)
    counts = ", ".join(f"b.{quote(name)}" for name in Batch.COUNTS)
    marks = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT b.id, b.total, b.finished_at, b.rollup, x.status, x.found, {counts}"
            f" FROM {batches} b LEFT JOIN (SELECT batch_id, status, COUNT(*) AS found FROM {rows}"
            f" WHERE batch_id IN ({marks}) GROUP BY batch_id, status) x ON x.batch_id = b.id"
            f" WHERE b.id IN ({marks}) ORDER BY b.id",
            [*ids, *ids],
        )
        lines = cursor.fetchall()
    standings: dict[int, _Standing] = {}
    for batch_id, total, finished_at, rollup, status, found, *counted in lines:
        if batch_id not in standings:
            named = dict(zip(Batch.COUNTS, counted, strict=True))
            pruned = _pruned(rollup)
            has_end = finished_at is not None
            standings[batch_id] = _Standing(batch_id, named, total, has_end, pruned)
        if status is not None:
            standings[batch_id].rows[status] += found
    return list(standings.values())


def _pruned(text: str) -> Counter[str]:
    if not text:
        return Counter()
    rollup = Rollup.read(text)
    return Counter({status: rollup.total(status) for status in rollup.counts})


def _drift(one: _Standing) -> Drift | None:
    """Say what is wrong. Rows that somebody has deleted by hand ended as the counts say.

    When more are gone than that explains, they were live: they can never end, so the total loses
    them.
    """
    expected = {name: one.rows[name] for name in Batch.COUNTS}
    vanished = one.total - sum(expected.values())
    for name in Batch.ENDED:
        kept = min(max(one.counted[name] - expected[name], 0), max(vanished, 0))
        expected[name] += kept
        vanished -= kept
    total = sum(expected.values())
    deltas = {
        name: expected[name] - one.counted[name]
        for name in Batch.COUNTS
        if expected[name] != one.counted[name]
    }
    has_ended = not any(expected[name] for name in ("pending", "scheduled", "running"))
    if not deltas and total == one.total and has_ended == one.has_end:
        return None
    return Drift(one.batch_id, deltas, total - one.total, has_ended != one.has_end)


def _repair(using: str, batch_id: int) -> Drift | None:
    """Change the counts under the batch's lock, which every change of its rows waits for."""

    def repair() -> Drift | None:
        batch = Batch.objects.using(using).select_for_update().filter(pk=batch_id).first()
        found = _drifts(using, [batch_id])
        if batch is None or not found:
            return None
        drift = found[0]
        same = Batch.objects.using(using).filter(pk=batch_id)
        same.update(total=batch.total + drift.total)
        states = counters.apply(using, {batch_id: drift.deltas})
        if batch.finished_at is not None and states[0].is_finished:
            same.update(finished_at=batch.finished_at)
        transaction.on_commit(partial(tell, [], fire(using, states)), using=using)
        return drift

    return in_transaction(using, repair)
