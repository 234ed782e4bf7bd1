"""Schedules whose tick has come, and firing them without a worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from django_agenda.scheduling.tick import fire_due

LATE = timedelta(milliseconds=1)


def make_due(schedule: Schedule, by: timedelta = LATE) -> datetime:
    """Let a tick have come so long ago; return it, to the microsecond."""
    tick = now() - by
    Schedule.objects.filter(pk=schedule.pk).update(next_at=tick)
    schedule.refresh_from_db()
    return tick


def runs(schedule: Schedule) -> list[Execution]:
    return list(schedule.executions.order_by("tick_at", "created_at"))


@pytest.fixture
def fire() -> Callable[[Schedule], list[Execution]]:
    """Return a function that fires what is due, and returns the runs of a schedule."""

    def fire_and_look(schedule: Schedule) -> list[Execution]:
        fire_due("default")
        schedule.refresh_from_db()
        return runs(schedule)

    return fire_and_look
