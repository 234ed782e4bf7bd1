"""See the plan of every batch against what happened, and put right what went wrong."""

from __future__ import annotations

from .batch import BatchAdmin
from .execution import ExecutionAdmin
from .operation import OperationAdmin
from .overview.view import OverviewAdmin
from .queues.view import QueueAdmin
from .schedule import ScheduleAdmin
from .worker import WorkerAdmin

__all__ = [
    "BatchAdmin",
    "ExecutionAdmin",
    "OperationAdmin",
    "OverviewAdmin",
    "QueueAdmin",
    "ScheduleAdmin",
    "WorkerAdmin",
]
