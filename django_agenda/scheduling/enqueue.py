"""Tell the broker what is due when, chunk by chunk, and write down how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import F, Min

from django_agenda.broker import broker
from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models import bulk, counters
from django_agenda.models.batch import Batch
from django_agenda.models.errors import class_name, fingerprint
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction, update_again
from django_agenda.signals import broker_refused, execution_scheduled

# The columns in which a pending row says why it is.
_BLAME = ("failed_stage", "error_class", "error_message", "error_fingerprint")


class Waiting(NamedTuple):
    """Hold a row that waits for its moment."""

    position: int
    status: str
    entry: Entry


def enqueue(entries: Sequence[Entry]) -> int:
    """Put entries into the broker, and move those that it holds; return how many are new.

    Everything that is to run comes through here, after its row was committed. What lies beyond
    HORIZON is passed over: the caretaker feeds it in time. Raises BrokerUnavailable; what was
    taken until then stays in, and enqueueing again is harmless.
    """
    size = get_settings().CHUNK_SIZE
    entries = _within_horizon(entries)
    added = 0
    for first in range(0, len(entries), size):
        chunk = entries[first : first + size]
        added += broker.add(chunk)
        execution_scheduled.send_robust(Execution, entries=chunk)
    return added


def tell(withdrawn: Iterable[tuple[str, str]], entries: Sequence[Entry]) -> None:
    """Withdraw, given as (id, queue name), and enqueue, after the commit.

    A broker that cannot be told does no harm: the claim refuses what has ended or is held, and
    the overdue scan finds what is missing.
    """
    with suppress(BrokerUnavailable):
        broker.remove(withdrawn)
        enqueue(entries)


def _within_horizon(entries: Sequence[Entry]) -> Sequence[Entry]:
    horizon = get_settings().HORIZON
    if horizon is None:
        return entries
    last = due_ms(now() + horizon)
    return [entry for entry in entries if entry.due_ms <= last]


def enqueue_batch(using: str, batch_id: int) -> BrokerUnavailable | None:
    """Enqueue, from the batch's mark on, what waits; return the error that stopped it, if any.

    What the broker refused is left `pending` with the error; what it took stays scheduled. Reads
    the rows anew, so it can be repeated by anybody at any time.
    """
    batch = Batch.objects.using(using).filter(pk=batch_id).first()
    if batch is None or batch.finished_at is not None or batch.paused_at is not None:
        return None
    position = _first_untold(using, batch)
    size = get_settings().CHUNK_SIZE
    for first in range(position, batch.total, size):
        chunk = _waiting(using, batch_id, first, first + size)
        try:
            enqueue([row.entry for row in chunk])
        except BrokerUnavailable as error:
            _refuse_rest(using, batch_id, chunk[0].position, error)
            return error
        if any(row.status == Execution.Status.PENDING for row in chunk):
            accept(using, [row.entry.id for row in chunk])
        _mark(using, batch_id, min(first + size, batch.total), len(chunk))
    return None


def refuse(using: str, ids: Sequence[str], error: BrokerUnavailable) -> int:
    """Make waiting rows without a batch `pending`, with the error; return how many."""
    rows = Execution.objects.using(using).filter(
        pk__in=ids, batch=None, status=Execution.Status.SCHEDULED, held_by=""
    )
    count = update_again(rows, status=Execution.Status.PENDING, **_blame(error))
    broker_refused.send_robust(Execution, error=error, count=count)
    return count


def accept(using: str, ids: Sequence[str]) -> None:
    """Make those of these rows that are `pending` scheduled again: the broker has them now."""

    def accept_those() -> None:
        accepted = bulk.update(
            using,
            Execution,
            ("id",),
            [[id_] for id_ in sorted(ids)],
            changes={"status": "'scheduled'", **dict.fromkeys(_BLAME, "''")},
            guard="e.status = 'pending'",
            returning=("batch",),
        )
        counters.apply(using, counters.tally((row[0], "pending", "scheduled") for row in accepted))

    in_transaction(using, accept_those)


def entry_of(execution: Execution) -> Entry:
    """Return what the broker keeps of an execution."""
    return Entry(
        execution.pk.hex, execution.queue_name, due_ms(execution.due_at), execution.priority
    )


def _waiting(using: str, batch_id: int, first: int, end: int) -> list[Waiting]:
    """Read what waits from position `first` to before `end`.

    The end matters: a LIMIT instead would let PostgreSQL sort the whole rest each time, as long as
    its statistics have not followed a big scatter.
    """
    connection = connections[using]
    table = connection.ops.quote_name(Execution._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, queue_name, due_at, priority, status, position FROM {table}"
            " WHERE batch_id = %s AND position >= %s AND position < %s"
            " AND status IN ('scheduled', 'pending') AND held_by = '' ORDER BY position",
            [batch_id, first, end],
        )
        return [_read(row, connection) for row in cursor.fetchall()]


def _read(row: tuple[Any, ...], connection: Any) -> Waiting:
    id_, queue_name, due_at, priority, status, position = row
    moment = due_ms(bulk.read_moment(due_at, connection))
    return Waiting(position, status, Entry(bulk.read_id(id_), queue_name, moment, priority))


def _first_untold(using: str, batch: Batch) -> int:
    """Return the mark, or the first pending position when another process has passed it."""
    if not batch.pending:
        return batch.told_until
    pending = Execution.objects.using(using).filter(batch=batch, status=Execution.Status.PENDING)
    first = pending.aggregate(first=Min("position"))["first"]
    return batch.told_until if first is None else min(batch.told_until, first)


def _mark(using: str, batch_id: int, position: int, count: int) -> None:
    behind = Batch.objects.using(using).filter(pk=batch_id, told_until__lt=position)
    update_again(
        behind, told_until=position, enqueued=F("enqueued") + count, version=F("version") + 1
    )


def _refuse_rest(using: str, batch_id: int, position: int, error: BrokerUnavailable) -> None:
    def write_down() -> int:
        batch = Batch.objects.using(using).get(pk=batch_id)
        rows = Execution.objects.using(using).filter(
            batch=batch,
            position__gte=max(position, batch.told_until),
            status=Execution.Status.SCHEDULED,
            held_by="",
        )
        count = rows.update(status=Execution.Status.PENDING, **_blame(error))
        counters.apply(using, {batch_id: {"scheduled": -count, "pending": count}})
        Batch.objects.using(using).filter(pk=batch_id).update(
            enqueue_error=str(error), enqueue_failed_at=batch.enqueue_failed_at or now()
        )
        return batch.pending + count

    count = in_transaction(using, write_down)
    broker_refused.send_robust(Execution, error=error, count=count)


def _blame(error: BrokerUnavailable) -> dict[str, str]:
    cause = error.__cause__ or error
    name = class_name(type(cause))
    stage = Execution.Stage.ENQUEUE.value
    mark = fingerprint(stage, name, str(cause))
    return dict(zip(_BLAME, (stage, name, str(cause), mark), strict=True))
