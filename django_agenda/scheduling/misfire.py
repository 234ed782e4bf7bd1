"""Decide what becomes of what nobody could run: run it, skip it, or scatter it anew."""

from __future__ import annotations

from datetime import datetime

from django.db import connections

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .change import Ids, collect
from .miss import miss_those
from .moments import spread_over
from .move import move

_REASON = "Nobody could run it in time, and MISFIRE is 'skip'"


def settle_misfires(using: str) -> int:
    """Apply MISFIRE to what is overdue by more than MISFIRE_AFTER; return how many it changed.

    Callbacks of batches always run, and what is held or in a paused queue is left alone. May be
    done by several processes at once: each execution is changed by one of them.
    """
    settings = get_settings()
    if settings.MISFIRE == "run":
        return 0
    moment = now()
    overdue_since = moment - settings.MISFIRE_AFTER
    paused = PausedQueue.objects.using(using).order_by().values_list("name", flat=True)
    rows = Execution.objects.using(using).filter(
        status__in=Execution.WAITING,
        held_by__in=Execution.UNASKED,
        due_at__lt=overdue_since,
        callback_of=None,
    )
    ids = collect(rows.exclude(queue_name__in=paused), "due_at", "pk")
    if isinstance(settings.MISFIRE, str):
        return _skip(using, ids, overdue_since)
    moments = spread_over(len(ids), moment, settings.MISFIRE)
    return move(using, ids, moments, before=overdue_since)


def _skip(using: str, ids: Ids, overdue_since: datetime) -> int:
    since = bulk.moment_text(overdue_since, connections[using])
    return sum(miss_those(using, page, _REASON, "e.due_at < %s", [since]) for page in ids.pages())
