"""Scheduled batches for Django: collect calls, scatter them over a window, see what came of them.

The front door: public names only, each fetched from its room when it is first used, so that a
project's models may import this package before the apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agenda import Agenda, Call
    from .exceptions import (
        AgendaError,
        AlreadyDeleted,
        BrokerUnavailable,
        ExecutionCancelled,
        ExecutionFailed,
        OutsideTask,
        PartiallyScheduled,
        ServerMissing,
        UnknownTask,
    )
    from .policies.concurrency import Limit
    from .policies.cooldown import Cooldown
    from .policies.debounce import Debounce
    from .policies.rate import Rate
    from .scheduling.pause_queue import pause_queue
    from .scheduling.restore import restore
    from .scheduling.resume_queue import resume_queue
    from .scheduling.single import schedule, schedule_many
    from .scheduling.strike import strike
    from .tasks.current import Current, current
    from .tasks.decorator import task
    from .tasks.recurring import cron, every
    from .timing.backoff import Exponential

__version__ = "0.1.0"

_ROOMS = {
    "Agenda": "agenda",
    "AgendaError": "exceptions",
    "AlreadyDeleted": "exceptions",
    "BrokerUnavailable": "exceptions",
    "Call": "agenda",
    "Cooldown": "policies.cooldown",
    "Debounce": "policies.debounce",
    "Current": "tasks.current",
    "ExecutionCancelled": "exceptions",
    "ExecutionFailed": "exceptions",
    "Exponential": "timing.backoff",
    "Limit": "policies.concurrency",
    "OutsideTask": "exceptions",
    "PartiallyScheduled": "exceptions",
    "Rate": "policies.rate",
    "ServerMissing": "exceptions",
    "UnknownTask": "exceptions",
    "cron": "tasks.recurring",
    "current": "tasks.current",
    "every": "tasks.recurring",
    "pause_queue": "scheduling.pause_queue",
    "restore": "scheduling.restore",
    "resume_queue": "scheduling.resume_queue",
    "schedule": "scheduling.single",
    "schedule_many": "scheduling.single",
    "strike": "scheduling.strike",
    "task": "tasks.decorator",
}

__all__ = [
    "Agenda",
    "AgendaError",
    "AlreadyDeleted",
    "BrokerUnavailable",
    "Call",
    "Cooldown",
    "Current",
    "Debounce",
    "ExecutionCancelled",
    "ExecutionFailed",
    "Exponential",
    "Limit",
    "OutsideTask",
    "PartiallyScheduled",
    "Rate",
    "ServerMissing",
    "UnknownTask",
    "cron",
    "current",
    "every",
    "pause_queue",
    "restore",
    "resume_queue",
    "schedule",
    "schedule_many",
    "strike",
    "task",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
