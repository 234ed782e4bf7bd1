"""Schedules as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from django_agenda.models.schedule import Schedule

from .tables import aligned

NOTHING = "There are no schedules."
_HEAD = ("id", "name", "task", "rule", "next run", "last tick", "state")


def schedule_lines(schedules: Sequence[Schedule]) -> list[str]:
    """Return a table, or a sentence that there is nothing to show."""
    if not schedules:
        return [NOTHING]
    return aligned([_HEAD, *(_row(one) for one in schedules)])


def _row(schedule: Schedule) -> tuple[str, ...]:
    moments = (schedule.next_at, schedule.last_at)
    next_run, last_tick = ("-" if one is None else f"{one:%Y-%m-%d %H:%M:%S}Z" for one in moments)
    return (
        str(schedule.pk),
        schedule.name or "-",
        schedule.task_name,
        schedule.describe(),
        next_run,
        last_tick,
        state(schedule),
    )


def state(schedule: Schedule) -> str:
    """Say in a word or two whether it ticks, and why not."""
    if schedule.enabled and schedule.trouble:
        return f"broken: {schedule.trouble}"
    if schedule.enabled:
        return "enabled"
    if schedule.ended_at is not None:
        return "ended"
    return "disabled" + (f": {schedule.disabled_by}" if schedule.disabled_by else "")
