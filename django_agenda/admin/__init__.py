"""See the plan of every batch against what happened, and put right what went wrong."""

from __future__ import annotations

from .batches.inline import BatchInline
from .batches.view import BatchAdmin
from .errors.view import ErrorGroupAdmin
from .executions.view import ExecutionAdmin
from .operations.view import OperationAdmin
from .overview.view import OverviewAdmin
from .plan.sources import arguments_for
from .queues.view import QueueAdmin
from .registering import register_on
from .schedules.view import ScheduleAdmin
from .strikes.view import StrikeAdmin
from .workers.view import WorkerAdmin

__all__ = [
    "BatchAdmin",
    "BatchInline",
    "ErrorGroupAdmin",
    "ExecutionAdmin",
    "OperationAdmin",
    "OverviewAdmin",
    "QueueAdmin",
    "ScheduleAdmin",
    "StrikeAdmin",
    "WorkerAdmin",
    "arguments_for",
    "register_on",
]
