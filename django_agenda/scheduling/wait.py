"""Wait for an execution to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django_agenda.clock import monotonic
from django_agenda.exceptions import ExecutionCancelled, ExecutionFailed
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


def wait(execution: Execution, timeout: float | timedelta) -> Any:
    """See Execution.wait()."""
    for pause in _pauses(timeout):
        execution.refresh_from_db()
        if not execution.is_live:
            return _result(execution)
        threading.Event().wait(pause)
    raise _too_late(execution, timeout)


async def await_result(execution: Execution, timeout: float | timedelta | None) -> Any:
    """See Execution.await_result()."""
    for pause in _pauses(timeout):
        await execution.arefresh_from_db()
        if not execution.is_live:
            return _result(execution)
        await asyncio.sleep(pause)
    raise _too_late(execution, timeout)


def wait_for_batch(batch: Batch, timeout: float | timedelta) -> None:
    """See Batch.wait()."""
    for pause in _pauses(timeout):
        batch.refresh_from_db()
        if batch.is_finished:
            return
        threading.Event().wait(pause)
    raise _batch_too_late(batch, timeout)


async def await_batch(batch: Batch, timeout: float | timedelta | None) -> None:
    """See Batch.await_end()."""
    for pause in _pauses(timeout):
        await batch.arefresh_from_db()
        if batch.is_finished:
            return
        await asyncio.sleep(pause)
    raise _batch_too_late(batch, timeout)


def _pauses(timeout: float | timedelta | None) -> Iterator[float]:
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    deadline = None if seconds is None else monotonic() + seconds
    pause = FIRST_PAUSE
    while deadline is None or monotonic() < deadline:
        left = pause if deadline is None else max(0.0, deadline - monotonic())
        yield min(pause, left)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    yield 0.0


def _result(execution: Execution) -> Any:
    if execution.status == Execution.Status.SUCCEEDED:
        return execution.return_value
    if execution.status in (Execution.Status.CANCELLED, Execution.Status.SKIPPED):
        raise ExecutionCancelled(execution)
    raise ExecutionFailed(execution)


def _too_late(execution: Execution, timeout: object) -> TimeoutError:
    return TimeoutError(f"Execution {execution.pk} is {execution.status} after {timeout}")


def _batch_too_late(batch: Batch, timeout: object) -> TimeoutError:
    return TimeoutError(f"Batch {batch.pk} is {batch.status} after {timeout}: {batch.describe()}")
