"""Make the broker agree with the rows.

Every function is bounded, can be repeated, and does no harm when two processes do it at once.
They return how many executions they put right: in a healthy system 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .change import collect
from .enqueue import accept, enqueue, enqueue_batch, entry_of
from .miss import miss

# Younger ones may be on their way from a worker's local clock to its hands.
OVERDUE_AFTER = timedelta(seconds=1)

_READ = ("id", "queue_name", "due_at", "priority", "status", "batch_id")


class Unfinished:
    """Look for batches whose enqueueing stopped short, by a refusal or a death.

    One whose mark has moved since the last look is on its way, and left alone.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._seen: dict[int, tuple[int, int]] = {}

    def enqueue(self) -> int:
        """Go on with those that did not move; raise what the broker says to the first refusal."""
        short = Q(pending__gt=0) | Q(told_until__lt=F("total"))
        batches = Batch.objects.using(self._using).filter(
            short,
            finished_at=None,
            paused_at=None,
            created_at__lt=now() - get_settings().ENQUEUE_GRACE,
        )
        seen, self._seen = self._seen, {}
        healed = 0
        for batch in batches.order_by("pk")[:100]:
            self._seen[batch.pk] = (batch.told_until, batch.pending)
            if seen.get(batch.pk) != self._seen[batch.pk]:
                continue
            if error := enqueue_batch(self._using, batch.pk):
                raise error
            healed += max(batch.pending, batch.total - batch.told_until)
        return healed


def enqueue_pending(using: str) -> int:
    """Enqueue single executions that the broker had refused."""
    rows = _rows(using).filter(status=Execution.Status.PENDING, batch=None).order_by("due_at")
    found = list(rows[: get_settings().CHUNK_SIZE])
    if found:
        _enqueue(using, found)
    return len(found)


def enqueue_refused(executions: QuerySet[Execution]) -> int:
    """Enqueue those of these that the broker had refused; return how many it took by now.

    The others stay pending, and nothing is raised: their moments are theirs as before.
    """
    count, using = 0, executions.db
    refused = executions.filter(status=Execution.Status.PENDING)
    for ids in collect(refused, "due_at", "pk").pages():
        found = list(_rows(using).filter(pk__in=ids, status=Execution.Status.PENDING))
        try:
            _enqueue(using, found)
        except BrokerUnavailable:
            break
        count += len(found)
    return count


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
            status__in=Execution.WAITING, due_at__lt=now() - OVERDUE_AFTER
        )
        overdue = overdue.exclude(queue_name__in=_paused(self._using))
        lost = _missing(overdue.filter(pk__in=self._suspects)) if self._suspects else []
        _enqueue(self._using, lost)
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
    rows = (
        Execution.objects.using(using)
        .filter(
            held_by__in=Execution.UNASKED,
            status__in=Execution.WAITING,
            due_at__lt=moment,
            expires_at__lt=moment,
        )
        .exclude(queue_name__in=_paused(using))
    )
    ids = [id_.hex for id_ in rows.values_list("pk", flat=True)[: get_settings().CHUNK_SIZE]]
    return miss(using, ids, moment) if ids else 0


def tell_paused(using: str) -> int:
    """Make the broker pause the queues that are, and no others; return how many it got wrong."""
    count = 0
    paused = set(_paused(using))
    while wrong := paused ^ (known := broker.paused_queues()):
        broker.pause(paused - known)
        broker.resume(known - paused)
        count += len(wrong)
        # Whoever has paused or resumed one since the rows were read was told of before this.
        again = set(_paused(using))
        if again == paused:
            break
        paused = again
    return count


def refill(using: str) -> int:
    """Enqueue everything that waits, in the order of due times, and note that it was done.

    With HORIZON only what is due within it. Returns how many the broker had not. A server that
    forgets everything meanwhile is not noted.
    """
    note = broker.begin_filling()
    tell_paused(using)
    size = get_settings().CHUNK_SIZE
    horizon = get_settings().HORIZON
    within = Q() if horizon is None else Q(due_at__lte=now() + horizon)
    count = 0
    for status in Execution.WAITING:
        rows = _rows(using).filter(within, status=status).order_by("due_at", "pk")
        page = rows
        while found := list(page[:size]):
            count += _enqueue(using, found)
            last = found[-1]
            page = rows.filter(Q(due_at__gt=last.due_at) | Q(due_at=last.due_at, pk__gt=last.pk))
    broker.mark_filled(note)
    return count


def _enqueue(using: str, rows: Sequence[Execution]) -> int:
    added = enqueue([entry_of(row) for row in rows])
    pending = [row.pk.hex for row in rows if row.status == Execution.Status.PENDING]
    if pending:
        accept(using, pending)
    return added


def _rows(using: str) -> QuerySet[Execution]:
    return Execution.objects.using(using).filter(held_by="").only(*_READ)


def _paused(using: str) -> QuerySet[PausedQueue, str]:
    return PausedQueue.objects.using(using).order_by().values_list("name", flat=True)
