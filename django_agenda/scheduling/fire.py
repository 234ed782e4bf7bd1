"""What one schedule does when its tick has come: pure but for the look at its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django_agenda.conf import get_settings
from django_agenda.exceptions import UnknownTask
from django_agenda.models.schedule import Schedule
from django_agenda.tasks.call import labels_text
from django_agenda.tasks.payload import encode_arguments
from django_agenda.tasks.registry import lookup
from django_agenda.timing.recurrence import jittered, last_ticks

from .callbacks import Stranger
from .write import Plan

MAX_ERROR = 1000

_Overlap, _Misfire = Schedule.Overlap, Schedule.Misfire


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """Hold what becomes of a schedule: which ticks run at once, which after the run before them.

    `skips` is how many ticks are left out because of an overlap; `plans` has one for each tick.
    """

    schedule: Schedule
    next_at: datetime | None = None
    free: Sequence[datetime] = ()
    queued: Sequence[datetime] = ()
    skips: int = 0
    error: str = ""
    has_ended: bool = False
    plans: Mapping[datetime, Plan] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        return len(self.free) + len(self.queued)

    @property
    def last(self) -> datetime | None:
        """Return the last tick that is fired, if any is."""
        return max((*self.free, *self.queued), default=None)


def broken(schedule: Schedule, error: Exception) -> Firing:
    """Let it rest, and say why; it ticks again once somebody enables it."""
    return Firing(schedule=schedule, error=f"{type(error).__name__}: {error}"[:MAX_ERROR])


def fire(schedule: Schedule, moment: datetime, alive: int, waiting: int) -> Firing:
    """Decide what becomes of the next tick, and of later ones that have come by this moment.

    Raises when the row holds no good rule. The next tick may be a little ahead. `alive` is how many
    of its runs have not ended, `waiting` how many of these wait in turn.
    """
    assert schedule.next_at is not None  # noqa: S101
    until = max(moment, schedule.next_at)
    ticks = _due_ticks(schedule, schedule.next_at, until)
    next_at = None if schedule.kind == Schedule.Kind.ONCE else schedule.tick_after(until)
    if schedule.max_runs is not None:
        ticks = ticks[: max(0, schedule.max_runs - schedule.runs)]
    free, queued, skips = _by_overlap(schedule, ticks, alive, waiting)
    runs = len(free) + len(queued)
    if schedule.max_runs is not None and schedule.runs + runs >= schedule.max_runs:
        next_at = None
    runnable, error = runnable_of(schedule)
    plans = {}
    for tick in (*free, *queued):
        due_at = tick if _is_on_time(tick, until) else until
        if schedule.jitter is not None:
            due_at = jittered(due_at, next_at, schedule.jitter, schedule.fingerprint)
        plans[tick] = plan_of(schedule, runnable, due_at)
    return Firing(
        schedule=schedule,
        next_at=next_at,
        free=free,
        queued=queued,
        skips=skips,
        error=error,
        has_ended=next_at is None,
        plans=plans,
    )


def _due_ticks(schedule: Schedule, first: datetime, moment: datetime) -> list[datetime]:
    """Return the ticks that are to be fired now, by what is said of those that were missed."""
    limit = schedule.catch_up if schedule.misfire == _Misfire.ALL else 1
    until = moment if schedule.ends_at is None else min(moment, schedule.ends_at)
    later = (
        [] if schedule.kind == Schedule.Kind.ONCE else _later_ticks(schedule, first, until, limit)
    )
    # After a clock was set back, what it has fired already would come again.
    last = schedule.last_at
    ticks = [tick for tick in (first, *later) if last is None or tick > last][-limit:]
    if not ticks:
        return []
    if schedule.misfire == _Misfire.SKIP and not _is_on_time(ticks[-1], moment):
        return []
    return ticks


def _later_ticks(
    schedule: Schedule, first: datetime, until: datetime, limit: int
) -> list[datetime]:
    return last_ticks(schedule.rule, first, until, limit) if until > first else []


def _is_on_time(tick: datetime, moment: datetime) -> bool:
    return moment - tick <= get_settings().MISFIRE_AFTER


def _by_overlap(
    schedule: Schedule, ticks: list[datetime], alive: int, waiting: int
) -> tuple[list[datetime], list[datetime], int]:
    """Return the ticks that run at once, those that wait in turn, and how many are left out."""
    if schedule.overlap == _Overlap.ALLOW or not ticks:
        return ticks, [], 0
    free, rest = ([], ticks) if alive else (ticks[:1], ticks[1:])
    if schedule.overlap == _Overlap.SKIP and alive and len(ticks) == 1:
        return [], [], 1
    # Missed ticks that are made up for run one after the other, also where one would be skipped.
    room = max(0, schedule.catch_up - waiting)
    return free, rest[:room], len(rest[room:])


def runnable_of(schedule: Schedule) -> tuple[Stranger, str]:
    """Return what its rows need to know of the task, and an error when nothing here knows it.

    Another worker may know it, so it is written down all the same, and waits for one that does.
    """
    error = ""
    expires: timedelta | None = None
    queue_name, priority, max_attempts = "default", 0, 1
    try:
        task = lookup(schedule.task_name)
    except UnknownTask as unknown:
        error = str(unknown)
    else:
        queue_name, priority, expires = task.queue_name, task.priority, task.expires
        max_attempts = task.max_attempts
    own = schedule
    return Stranger(
        name=own.task_name,
        queue_name=queue_name if own.queue_name is None else own.queue_name,
        priority=priority if own.priority is None else own.priority,
        max_attempts=max_attempts if own.max_attempts is None else own.max_attempts,
        expires=expires,
    ), error


def plan_of(schedule: Schedule, runnable: Stranger, due_at: datetime) -> Plan:
    """Return the plan of one run."""
    args, kwargs = encode_arguments(schedule.args, schedule.kwargs)
    return Plan(runnable, args, kwargs, None, labels_text(schedule.labels), due_at)
