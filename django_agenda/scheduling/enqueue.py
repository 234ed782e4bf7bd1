"""Tell the broker what is due when, chunk by chunk, and write down how far it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import Case, F, Value, When

from django_agenda.broker import broker
from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models import bulk, counters
from django_agenda.models.batch import Batch
from django_agenda.models.errors import class_name, fingerprint
from django_agenda.models.execution import Execution
from django_agenda.signals import broker_refused, execution_scheduled

_CLEARED = {
    "failed_stage": "",
    "error_class": "",
    "error_message": "",
    "error_fingerprint": "",
}


class Waiting(NamedTuple):
    """Hold a row that waits for its moment."""

    position: int
    status: str
    entry: Entry


def enqueue(entries: Sequence[Entry]) -> int:
    """Put entries into the broker, and move those that it holds; return how many are new.

    Everything that is to run comes through here, after its row was committed. Raises
    BrokerUnavailable; what was taken until then stays in, and enqueueing again is harmless.
    """
    size = get_settings().CHUNK_SIZE
    added = 0
    for first in range(0, len(entries), size):
        chunk = entries[first : first + size]
        added += broker.add(chunk)
        execution_scheduled.send_robust(Execution, entries=chunk)
    return added


def enqueue_batch(using: str, batch_id: int) -> BrokerUnavailable | None:
    """Enqueue, from the batch's mark on, what waits; return the error that stopped it, if any.

    What the broker refused is left `pending` with the error; what it took stays scheduled. Reads
    the rows anew, so it can be repeated by anybody at any time.
    """
    batch = Batch.objects.using(using).filter(pk=batch_id).first()
    if batch is None or batch.finished_at is not None or batch.paused_at is not None:
        return None
    position = batch.enqueued
    while True:
        chunk = _waiting(using, batch_id, position)
        if not chunk:
            _mark(using, batch, batch.total)
            return None
        try:
            enqueue([row.entry for row in chunk])
        except BrokerUnavailable as error:
            _refuse_rest(using, batch, chunk[0].position, error)
            return error
        position = chunk[-1].position + 1
        if any(row.status == Execution.Status.PENDING for row in chunk):
            _accept(using, [row.entry.id for row in chunk])
        _mark(using, batch, position)


def refuse(using: str, ids: Sequence[str], error: BrokerUnavailable) -> int:
    """Make waiting rows without a batch `pending`, with the error; return how many."""
    rows = Execution.objects.using(using).filter(
        pk__in=ids, batch=None, status=Execution.Status.SCHEDULED
    )
    count = rows.update(status=Execution.Status.PENDING, **_blame(error))
    broker_refused.send_robust(Execution, error=error, count=count)
    return count


def accept(using: str, ids: Sequence[str]) -> None:
    """Make those of these rows that are `pending` scheduled again: the broker has them now."""
    _accept(using, ids)


def entry_of(execution: Execution) -> Entry:
    """Return what the broker keeps of an execution."""
    return Entry(
        execution.pk.hex, execution.queue_name, due_ms(execution.due_at), execution.priority
    )


def _waiting(using: str, batch_id: int, position: int) -> list[Waiting]:
    connection = connections[using]
    table = connection.ops.quote_name(Execution._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, queue_name, due_at, priority, status, position FROM {table}"
            " WHERE batch_id = %s AND position >= %s AND status IN ('scheduled', 'pending')"
            f" AND held_by = '' ORDER BY position LIMIT {get_settings().CHUNK_SIZE}",
            [batch_id, position],
        )
        return [_read(row, connection) for row in cursor.fetchall()]


def _read(row: tuple[Any, ...], connection: Any) -> Waiting:
    id_, queue_name, due_at, priority, status, position = row
    moment = due_ms(bulk.read_moment(due_at, connection))
    return Waiting(position, status, Entry(bulk.read_id(id_), queue_name, moment, priority))


def _mark(using: str, batch: Batch, position: int) -> None:
    told = min(position, batch.total - batch.skipped)
    Batch.objects.using(using).filter(pk=batch.pk, enqueued__lt=told).update(
        enqueued=told, version=F("version") + 1
    )


def _accept(using: str, ids: Sequence[str]) -> None:
    with transaction.atomic(using):
        accepted = bulk.update(
            using,
            Execution,
            ("id",),
            [[id_] for id_ in sorted(ids)],
            changes={"status": "'scheduled'", **dict.fromkeys(_CLEARED, "''")},
            guard="e.status = 'pending'",
            returning=("batch",),
        )
        counters.apply(using, counters.tally((row[0], "pending", "scheduled") for row in accepted))


def _refuse_rest(using: str, batch: Batch, position: int, error: BrokerUnavailable) -> None:
    rows = Execution.objects.using(using).filter(
        batch=batch, position__gte=position, status=Execution.Status.SCHEDULED, held_by=""
    )
    with transaction.atomic(using):
        count = rows.update(status=Execution.Status.PENDING, **_blame(error))
        counters.apply(using, {batch.pk: {"scheduled": -count, "pending": count}})
        Batch.objects.using(using).filter(pk=batch.pk).update(
            enqueue_error=str(error),
            enqueue_failed_at=Case(
                When(enqueue_failed_at__isnull=True, then=Value(now())),
                default=F("enqueue_failed_at"),
            ),
        )
    broker_refused.send_robust(Execution, error=error, count=count)


def _blame(error: BrokerUnavailable) -> dict[str, str]:
    cause = error.__cause__ or error
    name = class_name(type(cause))
    return {
        "failed_stage": Execution.Stage.ENQUEUE,
        "error_class": name,
        "error_message": str(cause),
        "error_fingerprint": fingerprint(Execution.Stage.ENQUEUE, name, str(cause)),
    }
