"""End executions before they run, and ask those that run to stop."""

from __future__ import annotations

from functools import partial

from django.db import connections
from django.db.models import QuerySet

from django_agenda.clock import now
from django_agenda.models import bulk
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import update_again

from .change import Changed, carry_out, collect
from .end import end_waiting

_CANCELLED = Execution.Status.CANCELLED.value
_RUNS = "e.status = 'running'"


def cancel(executions: QuerySet[Execution]) -> int:
    """See ExecutionQuerySet.cancel()."""
    using = executions.db
    live = executions.filter(status__in=Execution.LIVE)
    return carry_out(using, collect(live).pages(), partial(_cancel, using))


def cancel_waiting(executions: QuerySet[Execution]) -> int:
    """Cancel those that wait, and leave those that run alone; return how many."""
    using = executions.db
    waiting = executions.filter(status__in=Execution.WAITING)
    return sum(
        end_waiting(using, page, Execution.Status.CANCELLED) for page in collect(waiting).pages()
    )


def cancel_batch(batch: Batch) -> int:
    """See Batch.cancel(); a batch that ends by it is no longer paused either."""
    using = batch._state.db or "default"
    count = cancel(Execution.objects.using(using).filter(batch=batch))
    ended = Batch.objects.using(using).filter(pk=batch.pk, finished_at__isnull=False)
    paused = ended.exclude(paused_at=None)
    update_again(paused, paused_at=None, pause_reason="", settling_since=None)
    return count


def _cancel(using: str, ids: list[str]) -> Changed:
    """Cancel or ask in one statement: between two, a claim or a retry could slip through."""
    moment = bulk.moment_text(now(), connections[using])
    rows = bulk.update(
        using,
        Execution,
        ("id", "finished_at"),
        [[id_, moment] for id_ in sorted(ids)],
        changes={
            "cancel_requested_at": f"CASE WHEN {_RUNS} THEN x.finished_at END",
            "finished_at": f"CASE WHEN {_RUNS} THEN e.finished_at ELSE x.finished_at END",
            "live_key": f"CASE WHEN {_RUNS} THEN e.live_key END",
            "held_by": "''",
            "gate": f"CASE WHEN {_RUNS} THEN e.gate END",
            # Last, because MySQL reads what earlier assignments of a statement have written.
            "status": f"CASE WHEN {_RUNS} THEN e.status ELSE '{_CANCELLED}' END",
        },
        guard=(
            f"e.status IN ('scheduled', 'pending') OR ({_RUNS} AND e.cancel_requested_at IS NULL)"
        ),
        returning=("id", "queue_name", "batch", "status", "failed_stage"),
    )
    ended = [row for row in rows if row[3] == _CANCELLED]
    return Changed(
        count=len(rows),
        moves=[(row[2], Execution.status_before_claim(row[4]), _CANCELLED) for row in ended],
        withdrawn=[(bulk.read_id(row[0]), row[1]) for row in ended],
    )
