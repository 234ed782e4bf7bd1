"""Carry an operation out, part by part: the task that a worker runs.

A part and the mark that it is done are one transaction, so whoever dies, and however often this
is run, no target is changed twice. The states are looked at again by the action's own filter and
by its verb, under the lock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import router
from django.db.models import F

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation, OperationPart
from django_agenda.models.transactions import in_transaction, update_again
from django_agenda.tasks.current import current
from django_agenda.tasks.decorator import task

from .action import Action, Given
from .history import write_down_end
from .of_batches import OF_BATCHES, STOP_RETRYING
from .of_errors import CANCEL_TASK
from .of_executions import OF_EXECUTIONS

_OF_BATCHES = {action.slug: action for action in (*OF_BATCHES, STOP_RETRYING)}
_OF_EXECUTIONS = {action.slug: action for action in (*OF_EXECUTIONS, CANCEL_TASK)}
_INSTANT = timedelta(microseconds=1)
_Status = Operation.Status


def action_of(operation: Operation) -> Action | None:
    """Return the action that an operation carries out; None if this version has it no more."""
    known = _OF_BATCHES if operation.model == "batch" else _OF_EXECUTIONS
    return known.get(operation.kind)


@task(priority=100, max_attempts=10, backoff=timedelta(seconds=5))
def carry_on(operation_id: int) -> str:
    """Begin or go on with an operation; return where it stands."""
    using = router.db_for_write(Operation)
    same = Operation.objects.using(using).filter(pk=operation_id)
    update_again(same.filter(status=_Status.WAITING), status=_Status.RUNNING, started_at=now())
    operation = same.first()
    if operation is None or operation.status != _Status.RUNNING:
        return "ended before"
    action = action_of(operation)
    if action is None:
        raise LookupError(f"There is no action {operation.kind!r} on a {operation.model}")
    parts = OperationPart.objects.using(using).filter(operation=operation, done_at=None)
    for part_id in list(parts.order_by("number").values_list("pk", flat=True)):
        if current.cancelled or same.exclude(abort_requested_at=None).exists():
            return _end(using, operation, _Status.ABORTED)
        _carry_out(using, operation, action, parts.get(pk=part_id))
    return _end(using, operation, _Status.FINISHED)


def _carry_out(using: str, operation: Operation, action: Action, part: OperationPart) -> None:
    try:
        if part.is_of_batches:
            _change_batches(using, operation, action, part)
        else:
            in_transaction(using, partial(_change, using, operation, action, part))
    except ValueError as error:
        # The verb refused it before it changed anything.
        words = f"{type(error).__name__}: {error}"
        in_transaction(using, partial(_count, using, part, failed=part.count, error=words))


def _change(using: str, operation: Operation, action: Action, part: OperationPart) -> None:
    rows: Any = Execution.objects.using(using).filter(action.reach(), pk__in=part.targets)
    if operation.error_fingerprint:
        rows = rows.filter(error_fingerprint=operation.error_fingerprint)
    # First, so that of two that are at it one waits, and then finds nothing to do.
    if not _mark(using, part):
        return
    carry_out = action.in_parts or action.carry_out
    done = carry_out(Given(rows, rows, _share(operation, part)))
    _count_up(using, part, done=done, skipped=part.count - done)


def _change_batches(using: str, operation: Operation, action: Action, part: OperationPart) -> None:
    batches = Batch.objects.using(using).filter(pk__in=part.targets)
    if action.in_parts is None:
        # Else its executions have been changed by now, and this is but the end of it.
        batches = batches.filter(action.fits())
    rows: Any = Execution.objects.using(using).filter(action.reach(), batch__in=part.targets)
    done = action.carry_out(Given(batches, rows, operation.wish)) if batches.exists() else 0
    skipped = max(part.count - done, 0)
    refused, error = _refused(using, action, part, skipped)
    counts: dict[str, Any] = {"done": done, "skipped": skipped - refused, "failed": refused}
    in_transaction(using, partial(_count, using, part, error=error, **counts))


def _refused(using: str, action: Action, part: OperationPart, most: int) -> tuple[int, str]:
    """Return how many of these Redis has refused again, and with which words."""
    if not (action.needs_redis and most):
        return 0, ""
    batches = Batch.objects.using(using).filter(pk__in=part.targets, pending__gt=0)
    found = list(batches.values_list("pending", "enqueue_error"))
    many = min(most, sum(pending for pending, _error in found))
    return many, next((error for _pending, error in found if error), "")


def _share(operation: Operation, part: OperationPart) -> dict[str, Any]:
    """Return the wish with the part's own share of the window, from the operation's start."""
    over = operation.wish.get("over")
    if over is None:
        return dict(operation.wish)
    start, gaps = operation.started_at or now(), max(operation.spread - 1, 1)
    begins, ends = (
        _at(start, over, min(place, gaps) / gaps)
        for place in (part.first, part.first + part.count - 1)
    )
    return {**operation.wish, "start": begins, "over": max(ends - begins, _INSTANT)}


def _at(start: datetime, over: timedelta, share: float) -> datetime:
    return start + over * share


def _count(using: str, part: OperationPart, **counts: Any) -> None:
    if _mark(using, part):
        _count_up(using, part, **counts)


def _mark(using: str, part: OperationPart) -> bool:
    undone = OperationPart.objects.using(using).filter(pk=part.pk, done_at=None)
    return bool(undone.update(done_at=now()))


def _count_up(using: str, part: OperationPart, error: str = "", **counts: int) -> None:
    changes: dict[str, Any] = {name: F(name) + count for name, count in counts.items()}
    if error:
        changes["error"] = error
    Operation.objects.using(using).filter(pk=part.operation_id).update(**changes)


def _end(using: str, operation: Operation, status: str) -> str:
    """Close it once, write that down, and let go of the list of its targets."""

    def close() -> None:
        same = Operation.objects.using(using).filter(pk=operation.pk, status=_Status.RUNNING)
        if same.update(status=status, finished_at=now()):
            operation.refresh_from_db(using=using)
            write_down_end(operation)
            OperationPart.objects.using(using).filter(operation=operation).delete()

    in_transaction(using, close)
    return str(status)
