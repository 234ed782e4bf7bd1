"""Every error that django_agenda raises.

    AgendaError
    ├── UnknownTask (also a KeyError)    a task name that nothing here answers to
    ├── PartiallyScheduled               the broker took only a part of a batch (strict=True)
    ├── BrokerUnavailable                Redis refused, or could not be reached
    ├── ExecutionFailed                  what was waited for failed, or was missed
    ├── ExecutionCancelled               what was waited for was cancelled or skipped
    ├── AlreadyDeleted                   what was waited for was pruned meanwhile, or deleted
    ├── OutsideTask (also a RuntimeError)  `current` was used where no task runs
    └── ServerMissing                    no Redis or Valkey binary for the embedded server
    RetryAsked (a BaseException)         `current.retry()` ends the attempt; nothing to be caught

Misuse of an argument is a ValueError or a TypeError, a bad setting Django's ImproperlyConfigured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from django_agenda.models.batch import Batch
    from django_agenda.models.execution import Execution


class AgendaError(Exception):
    """Stand at the root of every error of this package."""


class UnknownTask(AgendaError, KeyError):
    """Say that no registered task has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"Task {self.name!r} is not registered"


class BrokerUnavailable(AgendaError):
    """Say that Redis refused a command or could not be reached; the cause is chained."""


class PartiallyScheduled(AgendaError):
    """Say that the broker took only a part of a batch; what it took stays scheduled.

    `batch` is the batch, `scheduled` and `pending` count its executions on either side, and the
    broker's error is the `__cause__`.
    """

    def __init__(self, batch: Batch, *, scheduled: int, pending: int) -> None:
        super().__init__(
            f"Batch {batch.pk} is only partly scheduled: the broker took {scheduled} of"
            f" {scheduled + pending} executions, {pending} are pending"
        )
        self.batch = batch
        self.scheduled = scheduled
        self.pending = pending


class ExecutionFailed(AgendaError):
    """Say that an execution that was waited for has failed or was missed."""

    def __init__(self, execution: Execution) -> None:
        reason = (execution.error_class, execution.error_message)
        words = [f"Execution {execution.pk} {execution.status}", *filter(None, reason)]
        super().__init__(": ".join(words))
        self.execution = execution


class ExecutionCancelled(AgendaError):
    """Say that an execution that was waited for was cancelled or skipped."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(f"Execution {execution.pk} was {execution.status}")
        self.execution = execution


class AlreadyDeleted(AgendaError):
    """Say that the row of what was waited for is gone: pruned after its end, or deleted.

    `row` is what it was when it was read last.
    """

    def __init__(self, row: Execution | Batch) -> None:
        kind = type(row).__name__
        super().__init__(f"{kind} {row.pk} is gone: it was pruned after its end, or deleted")
        self.row = row


class OutsideTask(AgendaError, RuntimeError):
    """Say that `current` was used where no worker runs a task."""


class RetryAsked(BaseException):
    """End an attempt that `current.retry()` wants to be followed by another one, at `at`.

    No Exception, so that what a body writes for its own errors does not swallow it; a body that
    catches it all the same changes nothing any more.
    """

    def __init__(self, at: datetime, reason: str = "") -> None:
        super().__init__(f"asked for another attempt at {at.isoformat()}")
        self.at = at
        self.reason = reason


class ServerMissing(AgendaError):
    """Say that no Redis or Valkey server binary was found for the embedded server."""
