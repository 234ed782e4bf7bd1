"""The schedules that did not fire although their tick has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import redaction, wording
from django_agenda.admin.schedules.ticks import LATE_AFTER, overdue_words
from django_agenda.models.schedule import Schedule

SHOWN = 8
_MORE = 91


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """Hold one schedule as it is shown."""

    name: str
    url: str
    rule: str
    since: SafeString | str
    distance: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRows:
    """Hold the first of them, those that have waited longest, and how many more there are."""

    rows: list[ScheduleRow]
    more: int


def silent_schedules(
    rows: QuerySet[Schedule], moment: datetime, url_of: Callable[[Schedule], str], *, works: bool
) -> ScheduleRows:
    """Read them in one statement; `works` says whether any worker could have fired them."""
    overdue = Q(next_at__lt=moment - LATE_AFTER)
    found = list(rows.filter(overdue, enabled=True).order_by("next_at", "pk")[: SHOWN + _MORE])
    shown = [
        ScheduleRow(
            name=str(one),
            url=url_of(one),
            rule=one.describe(),
            since=wording.time_tag(one.next_at, moment, seconds=False),
            distance=overdue_words(one, moment),
            why=_why(one, works=works),
        )
        for one in found[:SHOWN]
    ]
    return ScheduleRows(rows=shown, more=max(len(found) - SHOWN, 0))


def _why(schedule: Schedule, *, works: bool) -> str:
    if not works:
        return _("no worker is at work")
    return redaction.text(schedule.trouble)
