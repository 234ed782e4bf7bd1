"""Hold executions, or a whole batch, without changing what they are."""

from __future__ import annotations

from functools import partial

from django.db import connections, transaction
from django.db.models import QuerySet

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from .change import Changed, carry_out, collect
from .hold import hold
from .mark import mark_paused
from .settle import settle, sweep

_NOT_YET = f"e.held_by <> '{Execution.PAUSED}'"


def pause(executions: QuerySet[Execution]) -> int:
    """See ExecutionQuerySet.pause(); what its batch holds already is held by both from now on."""
    using = executions.db
    waiting = executions.filter(status__in=Execution.WAITING)
    return carry_out(using, collect(waiting), partial(_pause, using))


def _pause(using: str, ids: list[str]) -> Changed:
    withdrawn = hold(using, ids, Execution.PAUSED, _NOT_YET)
    return Changed(count=len(withdrawn), withdrawn=withdrawn)


def pause_batch(batch: Batch, reason: str = "") -> int:
    """See Batch.pause(). The batch's row is written first, and that alone stops it.

    Inside a transaction of the caller the rows come first: claims lock in that order.
    """
    using = batch._state.db or "default"
    in_transaction = connections[using].in_atomic_block
    with transaction.atomic(using):
        held = sweep(using, batch.pk, is_paused=True, verify=False) if in_transaction else 0
        marked = mark_paused(using, batch.pk, reason)
        if in_transaction and marked:
            transaction.on_commit(partial(settle, using, batch.pk), using=using)
    return held if in_transaction or not marked else settle(using, batch.pk)
