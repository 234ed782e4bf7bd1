"""Give executions that wait another moment, or many of them a new spread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import repeat

from django.db.models import QuerySet

from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.timing.aware import aware

from .change import collect
from .moments import check_over, spread_over
from .move import check_reach, move


def reschedule(
    executions: QuerySet[Execution],
    at: datetime | None = None,
    by: timedelta | None = None,
    over: timedelta | None = None,
    start: datetime | None = None,
) -> int:
    """See ExecutionQuerySet.reschedule()."""
    given = {
        name: value
        for name, value in {"at": at, "by": by, "over": over}.items()
        if value is not None
    }
    if len(given) != 1:
        raise ValueError(f"Give exactly one of 'at', 'by' and 'over', not {given or 'none'}")
    waiting = executions.filter(status__in=Execution.WAITING)
    if by is not None:
        if not isinstance(by, timedelta):
            raise TypeError(f"'by' must be a timedelta, not {by!r}")
        check_reach(waiting, None, by)
        return move(executions.db, collect(waiting), by)
    return _to(waiting, *_wanted(at, over, start))


def _wanted(
    at: datetime | None, over: timedelta | None, start: datetime | None
) -> tuple[datetime, timedelta | None]:
    if at is not None:
        return aware("at", at), None
    assert over is not None  # noqa: S101
    return now() if start is None else aware("start", start), check_over(over)


def _to(waiting: QuerySet[Execution], start: datetime, over: timedelta | None) -> int:
    check_reach(waiting, start, over or timedelta(0))
    ids = collect(waiting, "due_at", "pk")
    moments: Iterator[datetime] = repeat(start, len(ids))
    if over is not None:
        moments = spread_over(len(ids), start, over)
    return move(waiting.db, ids, moments)
