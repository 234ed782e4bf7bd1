"""See the plan of every batch against what happened, and put right what went wrong."""

from __future__ import annotations

from .batch import BatchAdmin
from .errors.view import ErrorGroupAdmin
from .execution import ExecutionAdmin
from .inline import BatchInline
from .operation import OperationAdmin
from .overview.view import OverviewAdmin
from .plan.sources import arguments_for
from .queues.view import QueueAdmin
from .registering import register_on
from .schedule import ScheduleAdmin
from .strike import StrikeAdmin
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
