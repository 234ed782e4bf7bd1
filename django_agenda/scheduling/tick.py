"""Fire the ticks of schedules that have come.

    read        the schedules whose next tick has come, and how many of their runs are alive
    decide      which ticks run, and when the next one is (scheduling.fire)
    write       one transaction: the next tick of each, guarded by its version; then the rows of
                those that passed the guard
    tell        after the commit: the broker

Whoever else read the same schedules passes the guard no more, so each tick is fired once however
many processes fire; a unique (schedule, tick_at) says the same. A process that ends before the
commit has done nothing, one that ends after it leaves a row that the overdue scan finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import DataError, Error, IntegrityError, connections, transaction
from django.db.models import Count, Q

from django_agenda.broker.entry import Entry
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import in_transaction
from django_agenda.models.unread import read_rows

from .enqueue import tell
from .fire import Firing, broken, fire
from .turn import let_next_go
from .write import Tick, write

NO_TIME = timedelta(0)
_COLUMNS = ("id", "version", "next_at", "last_at", "ended_at", "runs", "skips", "error")


def next_tick(using: str) -> datetime | None:
    """Return the moment of the earliest tick of all schedules."""
    ticking = Schedule.objects.using(using).filter(next_at__isnull=False).order_by("next_at")
    return ticking.values_list("next_at", flat=True).first()


def fire_due(using: str, ahead: timedelta = NO_TIME) -> int:
    """Fire what is due, or will be within `ahead`: at most CHUNK_SIZE schedules; return how many.

    What is written ahead of its moment waits for it in the broker, and so starts in time. A tick
    that an earlier run may yet stop is left until it comes. A negative `ahead` is patience.
    """
    moment = now()
    ticking = Schedule.objects.using(using).filter(next_at__lte=moment + ahead)
    first = ticking.order_by("next_at")[: get_settings().CHUNK_SIZE]
    due = read_rows(first, *Schedule.PAYLOAD)
    if not due:
        return 0
    firings = [
        _decide(one, moment, alive, waiting)
        for one, (alive, waiting) in _with_runs(using, due)
        if not alive or one.next_at is None or one.next_at <= moment
    ]
    try:
        return _fire_all(using, firings)
    except (DataError, IntegrityError):
        return sum(_fire_alone(using, one) for one in firings)


def _with_runs(using: str, due: Sequence[Schedule]) -> list[tuple[Schedule, tuple[int, int]]]:
    """Return each with how many of its runs have not ended, and how many of these wait in turn."""
    runs = (
        Execution.objects.using(using)
        .filter(
            schedule__in=[one.pk for one in due if one.overlap != Schedule.Overlap.ALLOW],
            finished_at=None,
            status__in=Execution.LIVE,
        )
        .order_by()
        .values_list("schedule")
        .annotate(alive=Count("pk"), waiting=Count("pk", filter=Q(held_by=Execution.IN_TURN)))
    )
    counted = {key: (alive, waiting) for key, alive, waiting in runs}
    return [(one, counted.get(one.pk, (0, 0))) for one in due]


def _decide(schedule: Schedule, moment: datetime, alive: int, waiting: int) -> Firing:
    try:
        for name in schedule.get_deferred_fields():
            getattr(schedule, name)
        return fire(schedule, moment, alive, waiting)
    except Error:
        raise
    except Exception as error:  # noqa: BLE001
        # A row that cannot be read must stop neither the others nor the worker.
        return broken(schedule, error)


def _fire_alone(using: str, firing: Firing) -> int:
    try:
        return _fire_all(using, [firing])
    except IntegrityError:
        # The tick is there already: somebody has moved the schedule back.
        return _fire_all(using, [replace(firing, free=(), queued=())])
    except DataError as error:
        return _fire_all(using, [broken(firing.schedule, error)])


def _fire_all(using: str, firings: Sequence[Firing]) -> int:
    if not firings:
        return 0
    return in_transaction(using, partial(_write, using, firings))


def _write(using: str, firings: Sequence[Firing]) -> int:
    fired = _move_on(using, firings)
    passed = [one for one in firings if one.schedule.pk in fired]
    free = [(one, tick) for one in passed for tick in one.free]
    queued = [(one, tick) for one in passed for tick in one.queued]
    entries: list[Entry] = []
    for ticks, held_by in ((free, ""), (queued, Execution.IN_TURN)):
        plans = [one.plans[tick] for one, tick in ticks]
        marks = [Tick(one.schedule, tick) for one, tick in ticks]
        if plans:
            written = write(using, plans, ticks=marks, held_by=held_by)
            entries += [
                plan.entry(id_)
                for plan, id_ in zip(plans, written.ids, strict=True)
                if id_ not in written.held
            ]
    transaction.on_commit(partial(tell, [], entries), using=using)
    if queued:
        # The run before it may have ended since it was looked for.
        keys = sorted({one.schedule.pk for one, _ in queued})
        transaction.on_commit(partial(let_next_go, using, keys), using=using)
    return len(firings)


def _move_on(using: str, firings: Sequence[Firing]) -> set[int]:
    connection = connections[using]
    moment = bulk.moment_text(now(), connection)
    rows = [
        [
            one.schedule.pk,
            one.schedule.version,
            bulk.moment_text(one.next_at, connection),
            bulk.moment_text(one.last, connection),
            moment if one.has_ended else None,
            one.runs,
            one.skips,
            one.error,
        ]
        for one in sorted(firings, key=lambda one: int(one.schedule.pk))
    ]
    changed = bulk.update(
        using,
        Schedule,
        _COLUMNS,
        rows,
        changes={
            "next_at": "x.next_at",
            "last_at": "COALESCE(x.last_at, e.last_at)",
            "ended_at": "x.ended_at",
            "enabled": "CASE WHEN x.ended_at IS NULL THEN e.enabled ELSE FALSE END",
            "runs": "e.runs + x.runs",
            "skips": "e.skips + x.skips",
            "error": "x.error",
            "version": "e.version + 1",
        },
        guard="e.version = x.version AND e.next_at IS NOT NULL",
    )
    return {int(row[0]) for row in changed}
