"""Wait for an execution to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from django_agenda.clock import monotonic
from django_agenda.exceptions import AlreadyDeleted, ExecutionCancelled, ExecutionFailed
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


def wait(execution: Execution, timeout: float | timedelta) -> Any:
    """See Execution.wait()."""
    for pause in _pauses(timeout):
        with _told_when_gone(execution):
            execution.refresh_from_db()
        if not execution.is_live:
            return _result(execution)
        threading.Event().wait(pause)
    raise _too_late(execution, timeout)


async def await_result(execution: Execution, timeout: float | timedelta | None) -> Any:
    """See Execution.await_result()."""
    for pause in _pauses(timeout):
        with _told_when_gone(execution):
            await execution.arefresh_from_db()
        if not execution.is_live:
            return _result(execution)
        await asyncio.sleep(pause)
    raise _too_late(execution, timeout)


def wait_for_batch(batch: Batch, timeout: float | timedelta) -> None:
    """See Batch.wait()."""
    for pause in _pauses(timeout):
        with _told_when_gone(batch):
            batch.refresh_from_db()
        if batch.is_finished:
            return
        threading.Event().wait(pause)
    raise _batch_too_late(batch, timeout, _held(batch))


async def await_batch(batch: Batch, timeout: float | timedelta | None) -> None:
    """See Batch.await_end()."""
    for pause in _pauses(timeout):
        with _told_when_gone(batch):
            await batch.arefresh_from_db()
        if batch.is_finished:
            return
        await asyncio.sleep(pause)
    raise _batch_too_late(batch, timeout, await sync_to_async(_held)(batch))


@contextmanager
def _told_when_gone(row: Execution | Batch) -> Iterator[None]:
    try:
        yield
    except type(row).DoesNotExist:
        raise AlreadyDeleted(row) from None


def _pauses(timeout: float | timedelta | None) -> Iterator[float]:
    seconds = _seconds(timeout)
    deadline = None if seconds is None else monotonic() + seconds
    pause = FIRST_PAUSE
    while deadline is None or monotonic() < deadline:
        left = pause if deadline is None else max(0.0, deadline - monotonic())
        yield min(pause, left)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    yield 0.0


def _seconds(timeout: object) -> float | None:
    if isinstance(timeout, timedelta):
        return timeout.total_seconds()
    if timeout is None or (isinstance(timeout, int | float) and not isinstance(timeout, bool)):
        return timeout
    raise TypeError(f"'timeout' must be a timedelta or a number of seconds, not {timeout!r}")


def _result(execution: Execution) -> Any:
    if execution.status == Execution.Status.SUCCEEDED:
        return execution.return_value
    if execution.status in (Execution.Status.CANCELLED, Execution.Status.SKIPPED):
        raise ExecutionCancelled(execution)
    raise ExecutionFailed(execution)


def _too_late(execution: Execution, timeout: object) -> TimeoutError:
    words = f"Execution {execution.pk} is still {execution.status} after {_seconds(timeout)} s"
    held = f", held by {execution.held_by!r}" if execution.held_by else ""
    return TimeoutError(words + held + _blocked(execution))


def _held(batch: Batch) -> int:
    waiting = batch.executions.filter(status__in=Execution.WAITING)
    return waiting.exclude(held_by="").count()


def _batch_too_late(batch: Batch, timeout: object, held: int) -> TimeoutError:
    words = f"Batch {batch.pk} is still {batch.status} after {_seconds(timeout)} s"
    words += f": {batch.describe()}" + (f", {held} of them held" if held else "")
    return TimeoutError(words + _blocked(batch))


def _blocked(row: Execution | Batch) -> str:
    """Say so when the transaction of whoever waits is what is waited for."""
    if not connections[row._state.db or "default"].in_atomic_block:
        return ""
    return ". It was waited for in a transaction: what that has scheduled runs after its commit"
