"""Make the broker agree with the rows.

Every function is bounded, can be repeated, and does no harm when two processes do it at once.
They return how many executions they put right: in a healthy system 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from .enqueue import accept, enqueue, enqueue_batch, entry_of
from .miss import miss

# Younger ones may be on their way from a worker's local clock to its hands.
OVERDUE_AFTER = timedelta(seconds=1)

_READ = ("id", "queue_name", "due_at", "priority", "status", "batch_id")


def enqueue_unfinished_batches(using: str) -> int:
    """Go on with batches whose enqueueing stopped short, by a refusal or a death."""
    told = F("enqueued") + F("skipped") + F("cancelled") + F("missed")
    short = Q(pending__gt=0) | Q(total__gt=told, scheduled__gt=0)
    batches = Batch.objects.using(using).filter(
        short,
        finished_at=None,
        paused_at=None,
        created_at__lt=now() - get_settings().ENQUEUE_GRACE,
    )
    healed = 0
    for batch in batches.order_by("pk")[:100]:
        error = enqueue_batch(using, batch.pk)
        if error is not None:
            raise error
        healed += max(batch.pending, batch.total - batch.enqueued - batch.skipped)
    return healed


def enqueue_pending(using: str) -> int:
    """Enqueue single executions that the broker had refused."""
    rows = _rows(using).filter(status=Execution.Status.PENDING, batch=None).order_by("due_at")
    found = list(rows[: get_settings().CHUNK_SIZE])
    if found:
        enqueue([entry_of(row) for row in found])
        accept(using, [row.pk.hex for row in found])
    return len(found)


class Overdue:
    """Look for rows that are overdue and not in the broker, a chunk of them at each look.

    A row that was popped a moment ago is not in the broker either, and about to be claimed; so
    what is missing at one look is enqueued at the next, if it still waits and is still missing.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._suspects: list[UUID] = []
        self._from: datetime | None = None

    def enqueue(self) -> int:
        """Enqueue what was missing at the last look too; return how many."""
        size = get_settings().CHUNK_SIZE
        overdue = _rows(self._using).filter(
            status=Execution.Status.SCHEDULED, due_at__lt=now() - OVERDUE_AFTER
        )
        lost = _missing(overdue.filter(pk__in=self._suspects)) if self._suspects else []
        enqueue([entry_of(row) for row in lost])
        page = overdue if self._from is None else overdue.filter(due_at__gte=self._from)
        found = list(page.order_by("due_at")[:size])
        self._from = found[-1].due_at if len(found) == size else None
        healed = {row.pk for row in lost}
        self._suspects = [row.pk for row in _missing(found) if row.pk not in healed]
        return len(lost)


def _missing(rows: Iterable[Execution]) -> list[Execution]:
    entries = {entry_of(row): row for row in rows}
    return [entries[entry] for entry in broker.missing(entries)] if entries else []


def miss_expired(using: str) -> int:
    """End what waits and has expired."""
    moment = now()
    rows = _rows(using).filter(
        status__in=Execution.WAITING, due_at__lt=moment, expires_at__lt=moment
    )
    ids = [row.pk.hex for row in rows[: get_settings().CHUNK_SIZE]]
    return miss(using, ids, moment) if ids else 0


def refill(using: str) -> int:
    """Enqueue everything that waits, in the order of due times, and note that it was done.

    Returns how many the broker had not.
    """
    size = get_settings().CHUNK_SIZE
    count = 0
    rows = _rows(using).filter(status=Execution.Status.SCHEDULED).order_by("due_at", "pk")
    page = rows
    while found := list(page[:size]):
        count += enqueue([entry_of(row) for row in found])
        last = found[-1]
        page = rows.filter(Q(due_at__gt=last.due_at) | Q(due_at=last.due_at, pk__gt=last.pk))
    broker.mark_filled()
    return count


def _rows(using: str) -> QuerySet[Execution]:
    return Execution.objects.using(using).filter(held_by="").only(*_READ)
