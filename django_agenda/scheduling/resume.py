"""Let go of what a pause holds, and of what the broker has not wholly taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import connections, transaction
from django.db.models import F, Q, QuerySet

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction

from .change import Changed, carry_out, collect
from .enqueue import enqueue_batch
from .hold import hold, release
from .mark import mark_resumed
from .moments import check_over, spread_over
from .move import check_reach, move
from .settle import settle, sweep


def resume(
    executions: QuerySet[Execution], over: timedelta | None = None, start: datetime | None = None
) -> int:
    """See ExecutionQuerySet.resume()."""
    using = executions.db
    held = executions.filter(status__in=Execution.WAITING, held_by=Execution.PAUSED)
    if over is not None:
        _spread(using, held, check_over(over), start)
    return carry_out(using, collect(held).pages(), partial(let_go, using, reason=Execution.PAUSED))


def let_go(using: str, ids: list[str], reason: str) -> Changed:
    """Let go of those of these that are held for this reason, unless their batch is paused."""
    released = release(using, ids, reason)
    paused = _lock_paused(using, {one.batch_id for one in released if one.batch_id is not None})
    members = [one.entry.id for one in released if one.batch_id in paused]
    if members:
        hold(using, members, Execution.BATCH_PAUSED)
    free = [one for one in released if one.batch_id not in paused]
    # Those that are pending are enqueued by the caretaker.
    told = [one.entry for one in free if one.status == Execution.Status.SCHEDULED]
    waiting = {one.entry.id: one.batch_id for one in free}
    return Changed(count=len(free), entries=told, waiting=waiting)


def _lock_paused(using: str, batch_ids: set[int]) -> set[int | None]:
    """Return those that are paused, and keep them so until the commit."""
    found = Batch.objects.using(using).filter(pk__in=batch_ids, paused_at__isnull=False)
    return set(found.select_for_update().order_by("pk").values_list("pk", flat=True))


def resume_batch(batch: Batch, over: timedelta | None = None) -> int:
    """See Batch.resume(). Moments are changed first, while nothing can be started."""
    using = batch._state.db or "default"
    if over is not None:
        check_over(over)
        waiting = Execution.objects.using(using).filter(batch=batch, status__in=Execution.WAITING)
        mine = ("", Execution.UNKNOWN_TASK, Execution.BATCH_PAUSED)
        _spread(using, waiting.filter(held_by__in=mine), over)
    if not Batch.objects.using(using).filter(pk=batch.pk, paused_at__isnull=False).exists():
        return _enqueue(using, batch.pk)
    # The mark alone holds those that have not been settled since the pause.
    unsettled = _waiting(using, batch.pk).count()
    if not connections[using].in_atomic_block:
        in_transaction(using, partial(mark_resumed, using, batch.pk))
        return unsettled + settle(using, batch.pk)
    count = sweep(using, batch.pk, is_paused=False, verify=False)
    mark_resumed(using, batch.pk)
    transaction.on_commit(partial(settle, using, batch.pk), using=using)
    return unsettled + count


def _enqueue(using: str, batch_id: int) -> int:
    """Enqueue what is pending or was never told, after the commit of a running transaction."""
    before = _untold(using, batch_id)
    transaction.on_commit(partial(enqueue_batch, using, batch_id), using=using)
    return max(0, before - _untold(using, batch_id))


def _untold(using: str, batch_id: int) -> int:
    """Count what waits and is not in the broker: what it refused can lie beyond the mark too."""
    untold = Q(status=Execution.Status.PENDING) | Q(position__gte=F("batch__told_until"))
    return _waiting(using, batch_id).filter(untold).count()


def _waiting(using: str, batch_id: int) -> QuerySet[Execution]:
    rows = Execution.objects.using(using).filter(batch=batch_id, held_by="")
    return rows.filter(status__in=Execution.WAITING)


def _spread(
    using: str, rows: QuerySet[Execution], over: timedelta, start: datetime | None = None
) -> None:
    moment = now()
    overdue = rows.filter(due_at__lte=moment)
    first = moment if start is None else start
    check_reach(overdue, first, over)
    ids = collect(overdue, "due_at", "pk")
    move(using, ids, spread_over(len(ids), first, over))
