"""What waits, what runs, who works, and whether broker and rows agree: the state of everything."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q
from django.db.models.functions import Now

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.strike import Strike
from django_agenda.models.unread import read_rows
from django_agenda.models.worker import Worker

from .enqueue import entry_of
from .lateness import Lateness, recent_lateness

RECENTLY = timedelta(minutes=5)
MOST_STRIKES = 20
# Younger ones may be in the hands of a worker.
_OVERDUE_AFTER = timedelta(seconds=2)
_UNFINISHED = (
    Batch.Status.PENDING,
    Batch.Status.PARTLY_SCHEDULED,
    Batch.Status.SCHEDULED,
    Batch.Status.RUNNING,
    Batch.Status.PAUSED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """Hold one queue: rows that wait, are due and are held; and ids in Redis (None: unknown)."""

    name: str
    waiting: int
    due: int
    held: int
    oldest_due_s: float | None
    in_redis: int | None
    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """Hold one worker that has not ended; `is_alive` is false when its heartbeat is overdue."""

    name: str
    status: str
    queues: str
    concurrency: int
    running: int
    beat_age_s: float
    is_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftState:
    """Hold signs that something is amiss, all of which heal by themselves or need a repair.

    `overdue_missing` are rows among the oldest due ones that Redis does not hold (None: unknown),
    `untold_batches` those whose enqueueing stopped short, `orphans` rows that run under no worker.
    """

    overdue_missing: int | None
    untold_batches: int
    orphans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Hold the state of everything at one moment; the names are those of the JSON form.

    `redis_memory` is in bytes, of everything that the server holds (None: unknown); `strikes` say
    what is held by them, the oldest 20 of them.
    """

    moment: datetime
    broker_error: str
    redis_memory: int | None
    batches: dict[str, int]
    pending: int
    scheduled: int
    due: int
    held: int
    running: int
    oldest_due_s: float | None
    queues: list[QueueState]
    workers: list[WorkerState]
    drift: DriftState
    lateness: Lateness
    strikes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return plain values; moments as ISO 8601, seconds and milliseconds as numbers."""
        return asdict(self) | {"moment": self.moment.isoformat()}


def survey(using: str) -> Survey:
    """Look at everything, in about ten statements; Redis may be down, the database may not."""
    moment = now()
    sizes, memory, error = _sizes()
    queues = _queues(using, moment, sizes)
    counts = _counts(using)
    strikes = Strike.objects.using(using).all()[:MOST_STRIKES]
    oldest = [one.oldest_due_s for one in queues if one.oldest_due_s is not None]
    return Survey(
        moment=moment,
        broker_error=error,
        redis_memory=memory,
        batches=_batches(using),
        pending=counts.get(Execution.Status.PENDING, 0),
        scheduled=counts.get(Execution.Status.SCHEDULED, 0),
        due=sum(one.due for one in queues),
        held=sum(one.held for one in queues),
        running=counts.get(Execution.Status.RUNNING, 0),
        oldest_due_s=max(oldest, default=None),
        queues=queues,
        workers=worker_states(using),
        drift=_drift(using, moment, knows_broker=not error),
        lateness=recent_lateness(using, moment, RECENTLY),
        strikes=[one.describe() for one in read_rows(strikes, *Strike.PAYLOAD)],
    )


def queue_states(using: str) -> list[QueueState]:
    """Return every queue in which something waits, that Redis knows, or that is paused."""
    return _queues(using, now(), _sizes()[0])


def worker_states(using: str) -> list[WorkerState]:
    """Return the workers that have not ended, judged by the database's clock."""
    ttl = get_settings().WORKER_TTL
    living = Worker.objects.using(using).filter(status__in=Worker.LIVING).order_by("name", "pk")
    rows: Any = living.annotate(moment=Now())
    return [
        WorkerState(
            name=row.name,
            status=row.status,
            queues=row.queues,
            concurrency=row.concurrency,
            running=row.running,
            beat_age_s=_seconds(row.moment, row.beat_at),
            is_alive=row.moment - row.beat_at <= ttl,
        )
        for row in rows
    ]


def _sizes() -> tuple[dict[str, int] | None, int | None, str]:
    try:
        return broker.sizes(), broker.memory(), ""
    except BrokerUnavailable as error:
        return None, None, str(error)


def _batches(using: str) -> dict[str, int]:
    unfinished = Batch.objects.using(using).filter(status__in=_UNFINISHED)
    found = unfinished.order_by().values_list("status").annotate(count=Count("*"))
    return dict(sorted(found))


def _counts(using: str) -> dict[str, int]:
    live = Execution.objects.using(using).filter(status__in=Execution.LIVE, finished_at=None)
    return dict(live.order_by().values_list("status").annotate(count=Count("*")))


def _queues(using: str, moment: datetime, sizes: dict[str, int] | None) -> list[QueueState]:
    is_due = Q(due_at__lte=moment, held_by="")
    waiting = Execution.objects.using(using).filter(status__in=Execution.WAITING, finished_at=None)
    found = {
        row["queue_name"]: row
        for row in waiting.order_by()
        .values("queue_name")
        .annotate(
            waiting=Count("*"),
            due=Count("pk", filter=is_due),
            held=Count("pk", filter=~Q(held_by="")),
            oldest=Min("due_at", filter=is_due),
        )
    }
    nothing = {"waiting": 0, "due": 0, "held": 0, "oldest": None}
    paused = set(PausedQueue.objects.using(using).values_list("name", flat=True))
    return [
        _queue(name, found.get(name, nothing), moment, sizes, is_paused=name in paused)
        for name in sorted(found.keys() | (sizes or {}).keys() | paused)
    ]


def _queue(
    name: str, row: Any, moment: datetime, sizes: dict[str, int] | None, *, is_paused: bool
) -> QueueState:
    oldest = row["oldest"]
    return QueueState(
        is_paused=is_paused,
        name=name,
        waiting=row["waiting"],
        due=row["due"],
        held=row["held"],
        oldest_due_s=None if oldest is None else _seconds(moment, oldest),
        in_redis=None if sizes is None else sizes.get(name, 0),
    )


def _drift(using: str, moment: datetime, *, knows_broker: bool) -> DriftState:
    rows = Execution.objects.using(using)
    short = Q(pending__gt=0) | Q(told_until__lt=F("total"))
    batches = Batch.objects.using(using).filter(short, finished_at=None, paused_at=None)
    grace = get_settings().ENQUEUE_GRACE
    living = Worker.objects.using(using).filter(status__in=Worker.LIVING)
    orphans = rows.filter(
        Q(claimed_by__isnull=True) | ~Q(claimed_by__in=living.values("pk")),
        status=Execution.Status.RUNNING,
    )
    missing = None
    if knows_broker:
        overdue = rows.filter(
            status__in=Execution.WAITING, held_by="", due_at__lt=moment - _OVERDUE_AFTER
        )
        oldest = overdue.only("id", "queue_name", "due_at", "priority").order_by("due_at")
        missing = _missing([entry_of(row) for row in oldest[: get_settings().CHUNK_SIZE]])
    return DriftState(
        overdue_missing=missing,
        untold_batches=batches.filter(created_at__lt=moment - grace).count(),
        orphans=orphans.count(),
    )


def _missing(entries: list[Any]) -> int | None:
    try:
        return len(broker.missing(entries)) if entries else 0
    except BrokerUnavailable:
        return None


def _seconds(later: datetime, earlier: datetime) -> float:
    return round(max(0.0, (later - earlier).total_seconds()), 3)
