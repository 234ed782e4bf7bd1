"""Put what a batch has not started on a new even spread."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db.models import F

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
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
    if count:
        in_transaction(using, partial(_widen, using, batch.pk, window.end))
    return count


def _widen(using: str, batch_id: int, end: datetime) -> None:
    """Let the window reach that far, whatever the caller's instance says of it."""
    same = Batch.objects.using(using).filter(pk=batch_id)
    for start, over in same.select_for_update().values_list("start", "over"):
        same.update(over=max(over, end - start), version=F("version") + 1)
