"""The only door upwards: verbs of models that the scheduling room carries out.

`batch.resume()` is what users expect to write, and models stand below scheduling; so the room is
fetched when the verb is used. See docs/decisions/0003.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import Batch
    from .execution import Execution


def _room(verb: str) -> Any:
    return import_module(f"django_agenda.scheduling.{verb}")


def resume_batch(batch: Batch) -> None:
    """See scheduling.resume."""
    _room("resume").resume(batch)


def wait(execution: Execution, timeout: float | timedelta) -> Any:
    """See scheduling.wait."""
    return _room("wait").wait(execution, timeout)


async def await_result(execution: Execution, timeout: float | timedelta | None) -> Any:
    """See scheduling.wait."""
    return await _room("wait").await_result(execution, timeout)
