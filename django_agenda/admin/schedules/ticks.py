"""The ticks of a schedule that nobody fired in time, and those that still lie ahead."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import ngettext

from django_agenda.admin import wording
from django_agenda.admin.span import MILLISECOND
from django_agenda.models.schedule import Schedule

# A leader that has just died is followed by another one within this time.
LATE_AFTER = timedelta(seconds=30)
_MOST = 100


def is_overdue(schedule: Schedule, moment: datetime) -> bool:
    """Tell whether its tick should have been fired by now."""
    next_at = schedule.next_at
    return schedule.enabled and next_at is not None and next_at < moment - LATE_AFTER


def overdue_words(schedule: Schedule, moment: datetime) -> str:
    """Say for how long, and how many ticks have come since; nothing when it is not overdue."""
    next_at = schedule.next_at
    if next_at is None or not is_overdue(schedule, moment):
        return ""
    many = min(1 + ticks_between(schedule, next_at, moment), _MOST)
    words = ngettext(
        "overdue for %(duration)s, %(count)s run missed",
        "overdue for %(duration)s, %(count)s runs missed",
        many,
    )
    late = wording.duration((moment - next_at) / MILLISECOND)
    return words % {"duration": late, "count": tally(many)}


def unfired_words(schedule: Schedule, after: datetime, before: datetime) -> str:
    """Say how many ticks of its rule lie between two that ran."""
    many = ticks_between(schedule, after, before)
    words = ngettext(
        "%(count)s run before it did not run", "%(count)s runs before it did not run", many
    )
    return words % {"count": tally(many)} if many else ""


def ticks_between(schedule: Schedule, after: datetime, before: datetime) -> int:
    """Count the ticks of its rule between two moments, both left out, and no more than 100."""
    many = 0
    try:
        tick = schedule.tick_after(after)
        while tick is not None and tick < before and many < _MOST:
            many += 1
            tick = schedule.tick_after(tick)
    except ValueError:
        return 0
    return many


def upcoming(schedule: Schedule, count: int, moment: datetime) -> list[datetime]:
    """Return its next ticks that lie ahead; raise ValueError when it has no good rule."""
    is_behind = schedule.next_at is not None and schedule.next_at <= moment
    return schedule.next_times(count, after=moment if is_behind else None)


def tally(many: int) -> str:
    """Return a number of ticks; more than are counted is said with a plus."""
    return f"{wording.count(many)}+" if many == _MOST else wording.count(many)
