"""Tasks that look at themselves while they run."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any, NoReturn

from asgiref.sync import sync_to_async

from django_agenda import Agenda, Call, current, schedule, schedule_many, task
from tests.tasks import Refusal, append
from tests.waiting import wait_until

LONG = 10.0


@task
def until_cancelled(path: str) -> str:
    append(path, "started")
    wait_until(lambda: current.cancelled, LONG, every=0.005)
    return "ended early"


@task
def fail_when_cancelled(path: str) -> NoReturn:
    append(path, "started")
    wait_until(lambda: current.cancelled, LONG, every=0.005)
    raise Refusal("stopped")


@task(max_attempts=5, backoff=0.01)
def fail_and_try_again(path: str) -> NoReturn:
    append(path, "started")
    wait_until(lambda: current.cancelled, LONG, every=0.005)
    raise Refusal("stopped")


@task(max_attempts=9, backoff=0.01)
def fail_until_cancelled(path: str, seconds: float = 0.05) -> NoReturn:
    append(path, "started")
    threading.Event().wait(seconds)
    raise Refusal("again")


@task
async def sleep_async(path: str, seconds: float = LONG) -> str:
    append(path, "started")
    await asyncio.sleep(seconds)
    return "slept"


@task
async def clean_up_async(path: str) -> None:
    append(path, "started")
    try:
        await asyncio.sleep(LONG)
    finally:
        await asyncio.sleep(0.3)
        append(path, "cleaned up")


@task
async def refuse_to_stop_async(path: str) -> str:
    append(path, "started")
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        return f"went on, {current.cancelled}"
    return "slept"


@task
def block(path: str, end: str) -> str:
    from pathlib import Path

    append(path, "started")
    wait_until(lambda: Path(end).exists(), LONG)
    return "ended"


def _told() -> dict[str, Any]:
    execution = current.execution
    return {
        "id": str(execution.pk),
        "args": execution.args,
        "status": execution.status,
        "position": execution.position,
        "attempt": current.attempt,
        "key": current.key,
        "cancelled": current.cancelled,
        "batch": None if current.batch is None else [current.batch.pk, current.batch.name],
    }


@task
def tell(*args: Any) -> dict[str, Any]:
    current.logger.warning("told", extra={"more": 1})
    return _told()


@task
async def tell_async(*args: Any) -> dict[str, Any]:
    told = await sync_to_async(_told)()
    batch = current.batch
    if batch is not None:
        await batch.arefresh_from_db()
    return told


@task(max_attempts=3, backoff=0.01)
def fail_twice() -> int:
    if current.attempt < 3:
        raise Refusal("not yet")
    return current.attempt


@task(max_attempts=2, backoff=0.01)
def fail_always() -> NoReturn:
    raise Refusal("always")


@task
def note_and_wait(path: str, word: str) -> None:
    append(path, word)
    threading.Event().wait(0.005)


@task
def fail_slowly() -> NoReturn:
    threading.Event().wait(0.002)
    raise Refusal("slowly")


@task
def say_who(seconds: float) -> list[Any]:
    """Tell who it is at its start and at its end, while others run beside it."""
    before = [str(current.execution.pk), current.attempt]
    threading.Event().wait(seconds)
    return [*before, str(current.execution.pk)]


@task
async def say_who_async(seconds: float) -> list[Any]:
    before = [str(current.execution.pk), current.attempt]
    await asyncio.sleep(seconds)
    inner = await asyncio.create_task(_who())
    return [*before, inner]


async def _who() -> str:
    return str(current.execution.pk)


@task
def schedule_more(word: str) -> list[str]:
    """Schedule one by itself, two together, and scatter two."""
    later = timedelta(hours=1)
    rows = [schedule(nothing_more, after=later)(word)]
    rows += schedule_many([Call(nothing_more, (word,)), Call(nothing_more, (word,), key="k")])
    batch = Agenda([Call(nothing_more, (word,))] * 2).scatter(over=later)
    return [str(row.pk) for row in [*rows, *batch.executions.all()]]


@task
async def schedule_more_async(word: str) -> list[str]:
    return await sync_to_async(schedule_more.call)(word)


@task(atomic=True)
def schedule_more_atomically(word: str) -> list[str]:
    return schedule_more.call(word)


@task
def nothing_more(word: str | int) -> None: ...
