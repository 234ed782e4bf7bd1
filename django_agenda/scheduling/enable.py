"""Let schedules tick again."""

from __future__ import annotations

from functools import partial

from django.db.models import Q, QuerySet

from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import in_transaction

from .advance import advance
from .define import first_tick
from .wake import wake_after_commit


def enable(schedules: QuerySet[Schedule]) -> int:
    """See ScheduleQuerySet.enable(); what somebody else changes at this moment is left to them."""
    using = schedules.db
    found = schedules.filter(Q(enabled=False) | Q(next_at=None)).order_by("pk")
    resting = list(found.defer(*Schedule.PAYLOAD))
    pages = bulk.chunked(resting, get_settings().CHUNK_SIZE)
    return sum(in_transaction(using, partial(_enable, using, page)) for page in pages)


def _enable(using: str, page: list[Schedule]) -> int:
    moments = {}
    for schedule in page:
        try:
            moments[schedule] = first_tick(schedule)
        except ValueError as error:
            Schedule.objects.using(using).filter(pk=schedule.pk).update(error=str(error))
    ticking = {schedule: moment for schedule, moment in moments.items() if moment is not None}
    fresh = {"enabled": "TRUE", "disabled_by": "''", "error": "''", "ended_at": "NULL"}
    wake_after_commit(using)
    return len(advance(using, ticking, fresh))
