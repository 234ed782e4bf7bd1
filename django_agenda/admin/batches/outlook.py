"""When a batch is likely to end: with its plan, or later when it has fallen behind."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import wording
from django_agenda.admin.due_later import Later, counts
from django_agenda.admin.span import MILLISECOND
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

_WORTH_SAYING = timedelta(seconds=30)


def read_backlog(
    batch: Batch, rows: QuerySet[Execution], planned_end: datetime, moment: datetime
) -> Later | None:
    """Look at what was planned before this moment and waits, if any: at most one statement.

    `planned_end` is the end of its window, or of what was made of it since.
    """
    if batch.is_finished or batch.paused_at is not None or moment <= batch.start:
        return None
    # The first two are what the index of the batch knows.
    planned_before = rows.filter(planned_offset_ms__lte=(moment - batch.start) // MILLISECOND)
    waiting = planned_before.filter(status=Execution.Status.SCHEDULED, held_by="")
    found = waiting.aggregate(**counts(max(planned_end, moment), moment))
    return None if found["last"] is None else Later(**found)


def expected_end(
    batch: Batch, backlog: Later | None, last_offset_ms: int, moment: datetime
) -> datetime | None:
    """Return a moment, or None when nothing tells: it is paused, say, or nothing has ended yet.

    What is behind its plan goes on at the rate that the batch has had since its start; long after
    its window that rate says nothing any more.
    """
    if batch.is_finished or batch.paused_at is not None:
        return None
    planned = batch.start + last_offset_ms * MILLISECOND
    plan_end = max(planned, backlog.last) if backlog and backlog.many else planned
    if moment <= batch.start:
        return plan_end
    if backlog is None or not backlog.overdue:
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
    backlog: Later | None,
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
