"""What was asked for, and what came of it."""

from __future__ import annotations

from .attempt import Attempt
from .batch import Batch
from .digest import Digest
from .error_group import ErrorGroup
from .execution import Execution
from .fleet import Fleet
from .gate import Gate
from .labels import label_of
from .operation import Operation, OperationPart
from .overview import Overview
from .paused_queue import PausedQueue
from .queue import Queue
from .schedule import Schedule
from .strike import Strike
from .worker import Worker

__all__ = [
    "Attempt",
    "Batch",
    "Digest",
    "ErrorGroup",
    "Execution",
    "Fleet",
    "Gate",
    "Operation",
    "OperationPart",
    "Overview",
    "PausedQueue",
    "Queue",
    "Schedule",
    "Strike",
    "Worker",
    "label_of",
]
