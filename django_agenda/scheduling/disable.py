"""Let schedules tick no more."""

from __future__ import annotations

from functools import partial

from django.db.models import F, Q, QuerySet

from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import in_transaction

from .cancel import cancel_waiting


def disable(schedules: QuerySet[Schedule], *, reason: str = "") -> int:
    """See ScheduleQuerySet.disable()."""
    using = schedules.db
    ticking = schedules.filter(Q(enabled=True) | Q(next_at__isnull=False))
    keys = list(ticking.order_by("pk").values_list("pk", flat=True))
    pages = bulk.chunked(keys, get_settings().CHUNK_SIZE)
    return sum(in_transaction(using, partial(_disable, using, page, reason)) for page in pages)


def _disable(using: str, keys: list[int], reason: str) -> int:
    # The rows first: a tick that is being fired at this moment is seen by what follows.
    count = (
        Schedule.objects.using(using)
        .filter(pk__in=keys)
        .update(enabled=False, next_at=None, disabled_by=reason, version=F("version") + 1)
    )
    cancel_waiting(waiting_ticks(using).filter(schedule__in=keys))
    return count


def waiting_ticks(using: str) -> QuerySet[Execution]:
    """Return the ticks that were fired and have not begun: no retries, nothing that was run now."""
    return Execution.objects.using(using).filter(
        schedule__isnull=False,
        finished_at=None,
        status__in=Execution.WAITING,
        tick_at__isnull=False,
        attempts=0,
    )
