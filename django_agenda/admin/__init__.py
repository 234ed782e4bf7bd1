"""See the plan of every batch against what happened; nothing here changes anything."""

from __future__ import annotations

from .batch import BatchAdmin
from .execution import ExecutionAdmin
from .overview.view import OverviewAdmin
from .worker import WorkerAdmin

__all__ = ["BatchAdmin", "ExecutionAdmin", "OverviewAdmin", "WorkerAdmin"]
