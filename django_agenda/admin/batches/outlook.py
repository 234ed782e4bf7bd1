"""When a batch is likely to end: with its plan, or later when it has fallen behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Max, Q, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import wording
from django_agenda.admin.due_later import OVERDUE_AFTER, Later
from django_agenda.admin.span import MILLISECOND
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

# Who waits no longer than this is about to be taken.
_WORTH_SAYING = timedelta(seconds=30)


class Backlog(NamedTuple):
    """Hold whether some of what waits is overdue, and what of it is due after the plan's end."""

    is_behind: bool = False
    later: Later | None = None


def read_backlog(
    batch: Batch, rows: QuerySet[Execution], planned_end: datetime, moment: datetime
) -> Backlog:
    """Look at what was planned before this moment and waits: at most one statement.

    `planned_end` is the end of its window, or of what was made of it since.
    """
    if batch.is_finished or batch.paused_at is not None or moment <= batch.start:
        return Backlog()
    # The first two are what the index of the batch knows.
    planned_before = rows.filter(planned_offset_ms__lte=(moment - batch.start) // MILLISECOND)
    waiting = planned_before.filter(status=Execution.Status.SCHEDULED, held_by="")
    found = waiting.aggregate(
        overdue=Count("pk", filter=Q(due_at__lte=moment - OVERDUE_AFTER)),
        later=Count("pk", filter=Q(due_at__gt=max(planned_end, moment))),
        last=Max("due_at"),
    )
    later = Later(found["later"], found["last"]) if found["later"] else None
    return Backlog(is_behind=found["overdue"] > 0, later=later)


def expected_end(
    batch: Batch, backlog: Backlog, last_offset_ms: int, moment: datetime
) -> datetime | None:
    """Return a moment, or None when nothing tells: it is paused, say, or nothing has ended yet.

    What is behind its plan goes on at the rate that the batch has had since its start; long after
    its window that rate says nothing any more.
    """
    if batch.is_finished or batch.paused_at is not None:
        return None
    planned = batch.start + last_offset_ms * MILLISECOND
    plan_end = planned if backlog.later is None else max(planned, backlog.later.last)
    if moment <= batch.start:
        return plan_end
    if not backlog.is_behind:
        return plan_end if plan_end > moment else None
    done = batch.succeeded + batch.failed + batch.missed
    since = batch.started_at or batch.start
    if not done or moment <= since or moment > planned + batch.over:
        return None
    left = batch.total - batch.done
    try:
        return max(plan_end, moment + (moment - since) * (left / done))
    except OverflowError:  # the end of the calendar
        return None


def outlook_facts(
    batch: Batch,
    backlog: Backlog,
    last_offset_ms: int,
    planned_end: datetime,
    moment: datetime,
) -> list[tuple[str, SafeString | str]]:
    """Say when it is likely to end, and how much later than its plan that is."""
    end = expected_end(batch, backlog, last_offset_ms, moment)
    if end is None:
        return []
    when = wording.time_tag(end, moment)
    over = end - planned_end
    if over < _WORTH_SAYING:
        return [(_("Expected end"), when)]
    late = wording.duration(over / MILLISECOND)
    words = _("%(duration)s after the window") % {"duration": late}
    return [(_("Expected end"), format_html('{} <span class="ag-late">{}</span>', when, words))]
