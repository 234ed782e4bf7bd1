"""Leave out the next tick of schedules."""

from __future__ import annotations

from functools import partial

from django.db.models import QuerySet

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import in_transaction

from .advance import advance
from .wake import wake_after_commit


def skip_next(schedules: QuerySet[Schedule]) -> int:
    """See ScheduleQuerySet.skip_next(); one without a further tick ends by it."""
    using = schedules.db
    found = schedules.filter(next_at__isnull=False).order_by("pk")
    ticking = list(found.defer(*Schedule.PAYLOAD))
    pages = bulk.chunked(ticking, get_settings().CHUNK_SIZE)
    return sum(in_transaction(using, partial(_skip, using, page)) for page in pages)


def _skip(using: str, page: list[Schedule]) -> int:
    moments = {one: one.tick_after(one.next_at) for one in page if one.next_at is not None}
    changed = advance(using, moments, {"skips": "e.skips + 1"})
    last = [one.pk for one, moment in moments.items() if moment is None and one.pk in changed]
    Schedule.objects.using(using).filter(pk__in=last).update(enabled=False, ended_at=now())
    wake_after_commit(using)
    return len(changed)
