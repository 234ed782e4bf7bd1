"""When the page of a schedule looks different."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Min, Sum
from django.http import HttpRequest

from django_agenda.admin import live
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule


class Alive(NamedTuple):
    """Hold how many runs stand at one place, how often they were tried, and the earliest plan."""

    status: str
    held_by: str
    many: int
    attempts: int
    due_at: datetime


def live_runs(schedule: Schedule) -> list[Alive]:
    """Return where its runs stand that have not ended: one statement, few rows, in their order."""
    places = ("status", "held_by")
    rows = schedule.executions.live().filter(finished_at=None).order_by(*places)
    counted = rows.values_list(*places).annotate(Count("pk"), Sum("attempts"), Min("due_at"))
    return [Alive(*row) for row in counted]


def schedule_tag(request: HttpRequest, schedule: Schedule, runs: Sequence[Alive]) -> str:
    """Return what changes with its row, with its runs that live, and with the words about time."""
    names = [field.attname for field in schedule._meta.concrete_fields]
    unread = schedule.get_deferred_fields()
    row = [getattr(schedule, name) for name in names if name not in unread]
    return live.make_tag(request, row, runs, None if _is_over(schedule, runs) else live.tick())


def schedule_next(schedule: Schedule, runs: Sequence[Alive], moment: datetime) -> int:
    """Return after how many seconds it may look different: never again when it is over."""
    if any(run.status == Execution.Status.RUNNING for run in runs):
        return live.SOON
    ahead = [run.due_at for run in runs if not run.held_by]
    if schedule.next_at is not None:
        ahead.append(schedule.next_at)
    if ahead:
        return live.before(min(ahead), moment)
    return 0 if _is_over(schedule, runs) else live.PAUSED


def _is_over(schedule: Schedule, runs: Sequence[Alive]) -> bool:
    return schedule.ended_at is not None and not runs
