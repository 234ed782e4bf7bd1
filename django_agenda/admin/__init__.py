"""See the plan of every batch against what happened, and put right what went wrong."""

from __future__ import annotations

from .batch import BatchAdmin
from .errors.view import ErrorGroupAdmin
from .execution import ExecutionAdmin
from .inline import BatchInline
from .overview.view import OverviewAdmin
from .schedule import ScheduleAdmin
from .worker import WorkerAdmin

__all__ = [
    "BatchAdmin",
    "BatchInline",
    "ErrorGroupAdmin",
    "ExecutionAdmin",
    "OverviewAdmin",
    "ScheduleAdmin",
    "WorkerAdmin",
]
