"""What of a batch is due although its plan is over: retries keep the plan, and have moments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Aggregate, Count, Max, Q, QuerySet
from django.utils.translation import ngettext

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from . import wording
from .memory import memory

_OVERDUE_AFTER = timedelta(seconds=5)


class Later(NamedTuple):
    """Hold how many wait for a moment after the plan, the last moment, and how many are overdue.

    Whoever is due within the last seconds is not overdue: a worker may be about to take it.
    """

    many: int
    last: datetime
    overdue: int


def counts(after: datetime, moment: datetime) -> dict[str, Aggregate]:
    """Return the SQL for what Later holds: `after` is the end of the plan, or this moment."""
    return {
        "many": Count("pk", filter=Q(due_at__gt=after)),
        "last": Max("due_at"),
        "overdue": Count("pk", filter=Q(due_at__lte=moment - _OVERDUE_AFTER)),
    }


def hang_later(rows: QuerySet[Execution], over: Iterable[Any], moment: datetime) -> None:
    """Hang on batches whose plan is over what of them is due after this moment: see later_of().

    One statement, or none when nothing waits of these. It reads all that does, so for large ones
    the answer is kept for a while: see Memory.recall().
    """
    waiting = [one for one in over if one.scheduled and one.paused_at is None]
    if not waiting or rows.query.is_empty():
        return
    # Without `finished_at`: by the index of what is due everything to come would be read.
    members = rows.filter(batch__in=[one.pk for one in waiting], status="scheduled", held_by="")
    if sum(one.scheduled for one in waiting) <= Batch.LARGE:
        found = _count(members, moment)
    else:
        key = repr(("later", members.query.sql_with_params()))
        found = memory.recall(key, lambda: _count(members, moment))
    for one in waiting:
        one.later = found.get(one.pk)


def later_of(batch: Any) -> Later | None:
    """Return what hang_later() has found, if it was asked about this batch."""
    found: Later | None = getattr(batch, "later", None)
    return found


def _count(members: QuerySet[Execution], moment: datetime) -> dict[int, Later]:
    counted = members.order_by().values_list("batch").annotate(**counts(moment, moment))
    return {batch: Later(many, last, overdue) for batch, many, last, overdue in counted if many}


def later_words(later: Later | None, moment: datetime) -> str:
    """Say how many that are, and until when; nothing when there are none."""
    if later is None or not later.many:
        return ""
    words = ngettext(
        "%(count)s is due after the window: %(when)s",
        "%(count)s are due after the window, until %(when)s",
        later.many,
    )
    when = wording.clock_time(later.last, moment, seconds=False)
    return words % {"count": wording.count(later.many), "when": when}
