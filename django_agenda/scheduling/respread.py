"""Put what a batch has not started on a new even spread."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.timing.window import Window

from .change import collect
from .moments import spread_over
from .move import check_reach, move


def respread(batch: Batch, over: timedelta, start: datetime | None = None) -> int:
    """See Batch.respread()."""
    using = batch._state.db or "default"
    window = Window(start=now() if start is None else start, over=over)
    rows = Execution.objects.using(using).filter(batch=batch, status__in=Execution.WAITING)
    check_reach(rows, window.start, over)
    ids = collect(rows, "position")
    count = move(using, ids, spread_over(len(ids), window.start, over))
    same = Batch.objects.using(using).filter(pk=batch.pk)
    if count:
        same.update(over=max(batch.over, window.end - batch.start), version=F("version") + 1)
    return count
