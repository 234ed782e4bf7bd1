"""The only door upwards: verbs of models that the scheduling room carries out.

`batch.resume()` is what users expect to write, and models stand below scheduling; so the room is
fetched when the verb is used. See docs/decisions/0003.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import SynchronousOnlyOperation

if TYPE_CHECKING:
    from .batch import Batch
    from .execution import Execution
    from .execution_set import ExecutionQuerySet
    from .schedule import Schedule
    from .schedule_set import ScheduleQuerySet
    from .worker import WorkerQuerySet


def _count(room: str, verb: str, *args: Any) -> int:
    try:
        return cast("int", getattr(_room(room), verb)(*args))
    except SynchronousOnlyOperation as error:
        error.add_note("In a coroutine await its twin, whose name begins with 'a'")
        raise


def _done(room: str, verb: str, *args: Any) -> Any:
    try:
        return getattr(_room(room), verb)(*args)
    except SynchronousOnlyOperation as error:
        error.add_note("In a coroutine: await sync_to_async(...) of a function that does it")
        raise


def _room(verb: str) -> Any:
    return import_module(f"django_agenda.scheduling.{verb}")


def cancel(executions: ExecutionQuerySet) -> int:
    """See scheduling.cancel."""
    return _count("cancel", "cancel", executions)


def cancel_batch(batch: Batch) -> int:
    """See scheduling.cancel."""
    return _count("cancel", "cancel_batch", batch)


def pause(executions: ExecutionQuerySet) -> int:
    """See scheduling.pause."""
    return _count("pause", "pause", executions)


def pause_batch(batch: Batch) -> int:
    """See scheduling.pause."""
    return _count("pause", "pause_batch", batch)


def resume(executions: ExecutionQuerySet, over: timedelta | None, start: datetime | None) -> int:
    """See scheduling.resume."""
    return _count("resume", "resume", executions, over, start)


def resume_batch(batch: Batch, over: timedelta | None) -> int:
    """See scheduling.resume."""
    return _count("resume", "resume_batch", batch, over)


def retry(executions: ExecutionQuerySet, over: timedelta | None, start: datetime | None) -> int:
    """See scheduling.retry."""
    return _count("retry", "retry", executions, over, start)


def retry_failed(batch: Batch, over: timedelta | None) -> int:
    """See scheduling.retry."""
    return _count("retry", "retry_failed", batch, over)


def reschedule(
    executions: ExecutionQuerySet,
    at: datetime | None,
    by: timedelta | None,
    over: timedelta | None,
    start: datetime | None,
) -> int:
    """See scheduling.reschedule."""
    return _count("reschedule", "reschedule", executions, at, by, over, start)


def reschedule_each(executions: ExecutionQuerySet, moments: Mapping[Any, datetime]) -> int:
    """See scheduling.reschedule_each."""
    return _count("reschedule_each", "reschedule_each", executions, moments)


def respread(batch: Batch, over: timedelta, start: datetime | None) -> int:
    """See scheduling.respread."""
    return _count("respread", "respread", batch, over, start)


def define(
    using: str,
    task: Any,
    kind: str,
    rule: tuple[Any, ...],
    options: Mapping[str, Any],
) -> Schedule:
    """See scheduling.define."""
    return cast("Schedule", _done("define", "define", using, task, kind, rule, options))


def enable(schedules: ScheduleQuerySet) -> int:
    """See scheduling.enable."""
    return _count("enable", "enable", schedules)


def disable(schedules: ScheduleQuerySet) -> int:
    """See scheduling.disable."""
    return _count("disable", "disable", schedules)


def skip_next(schedules: ScheduleQuerySet) -> int:
    """See scheduling.skip_next."""
    return _count("skip_next", "skip_next", schedules)


def run_now(schedule: Schedule) -> Execution:
    """See scheduling.run_now."""
    return cast("Execution", _done("run_now", "run_now", schedule))


def quiet(workers: WorkerQuerySet) -> int:
    """See scheduling.ask."""
    return _count("ask", "quiet", workers)


def resume_workers(workers: WorkerQuerySet) -> int:
    """See scheduling.ask."""
    return _count("ask", "resume", workers)


def stop_workers(workers: WorkerQuerySet) -> int:
    """See scheduling.ask."""
    return _count("ask", "stop", workers)


def wait(execution: Execution, timeout: float | timedelta) -> Any:
    """See scheduling.wait."""
    return _room("wait").wait(execution, timeout)


async def await_result(execution: Execution, timeout: float | timedelta | None) -> Any:
    """See scheduling.wait."""
    return await _room("wait").await_result(execution, timeout)


def wait_for_batch(batch: Batch, timeout: float | timedelta) -> None:
    """See scheduling.wait."""
    _room("wait").wait_for_batch(batch, timeout)


async def await_batch(batch: Batch, timeout: float | timedelta | None) -> None:
    """See scheduling.wait."""
    await _room("wait").await_batch(batch, timeout)
