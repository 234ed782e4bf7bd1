"""Tasks for the tests; a worker process finds them because `tests` is an installed app.

What a body did is seen in its return value, or in a file that the test names: every call appends
one line, so that the database and Redis are not asked about themselves.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from django.contrib.auth.models import User
from django.db import transaction

from django_agenda import Exponential, task
from django_agenda.clock import now
from tests.waiting import wait_until

SOON = 0.02


class Refusal(Exception):
    """Stand for an error of the project's own."""


def plain(number: int = 0) -> int:
    return number


@task
def nothing(*args: Any, **kwargs: Any) -> None:
    return None


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def echo(*args: Any, **kwargs: Any) -> Any:
    return [list(args), kwargs]


@task
async def add_async(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


@task
async def count_users_async() -> int:
    return await User.objects.acount()


@task(queue_name="mail", priority=7, expires=3600, max_attempts=4)
def mail(number: int = 0) -> int:
    return number


@task(priority=50)
def urgent(number: int = 0) -> int:
    return number


@task(expires=timedelta(milliseconds=1))
def perishable(number: int = 0) -> int:
    return number


@task
def note(path: str, word: str = "ran") -> None:
    append(path, word)


@task
def note_batch(batch_id: int) -> int:
    return batch_id


@task
def note_time(path: str) -> None:
    append(path, repr(now().timestamp()))


@task
def fail(message: str = "it failed") -> NoReturn:
    raise Refusal(message)


@task(redact=["card"])
def fail_to_pay(card: str, token: str) -> NoReturn:
    raise Refusal(f"{card!r} was refused for {token}")


@task
def fail_if(condition: bool) -> None:
    if condition:
        raise Refusal("it was to fail")


@task(max_attempts=3, backoff=SOON)
def fail_thrice(path: str) -> NoReturn:
    append(path, "tried")
    raise Refusal("never")


@task(max_attempts=5, backoff=Exponential(minimum=SOON, maximum=SOON, jitter=0))
def succeed_at(path: str, attempt: int) -> int:
    tries = append(path, "tried")
    if tries < attempt:
        raise Refusal(f"try {tries}")
    return tries


@task(max_attempts=3, backoff=3600)
def fail_and_wait(path: str) -> NoReturn:
    append(path, "tried")
    raise Refusal("later")


@task(max_attempts=5, backoff=SOON, give_up_on=Refusal)
def give_up(path: str) -> NoReturn:
    append(path, "tried")
    raise Refusal("at once")


@task(max_attempts=5, backoff=SOON, retry_on=(OSError,))
def retry_only_os_errors(path: str) -> NoReturn:
    append(path, "tried")
    raise Refusal("not an OSError")


def _twice(attempt: int, error: BaseException) -> timedelta | None:
    return timedelta(seconds=SOON) if attempt < 2 else None


@task(max_attempts=9, backoff=_twice)
def give_up_by_backoff(path: str) -> NoReturn:
    append(path, "tried")
    raise Refusal("again")


def _broken(attempt: int, error: BaseException) -> timedelta | None:
    raise ZeroDivisionError("the backoff itself")


@task(max_attempts=3, backoff=_broken)
def broken_backoff() -> NoReturn:
    raise Refusal("the body")


@task(timeout=0.1)
def loop_forever() -> NoReturn:
    while True:
        sum(range(100))


@task(timeout=0.1)
def swallow_the_timeout() -> str:
    try:
        while True:
            sum(range(100))
    except Exception:
        return "as if nothing had happened"


@task(timeout=0.1)
async def sleep_forever_async() -> None:
    await asyncio.sleep(3600)


@task(timeout=30)
def in_time() -> str:
    return "in time"


@task
def wait_for_file(started: str, end: str) -> str:
    """Say that it started, and end as soon as there is a file `end`."""
    append(started, "started")
    wait_until(lambda: Path(end).exists(), 30)
    return "ended"


@task
async def wait_for_file_async(started: str, end: str) -> str:
    append(started, "started")
    while not Path(end).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)
    return "ended"


@task
async def wait_for_file_beside_the_loop(started: str, end: str) -> str:
    await asyncio.to_thread(append, started, "started")
    await asyncio.to_thread(wait_until, Path(end).exists, 30)
    return "ended"


@task(max_attempts=3, backoff=SOON)
def end_the_process(path: str) -> None:
    """Kill the worker as the kernel would, at the first try."""
    if append(path, "started") == 1:
        os.kill(os.getpid(), 9)


@task
def always_end_the_process(path: str) -> None:
    append(path, "started")
    os.kill(os.getpid(), 9)


@task(on_worker_lost="fail")
def at_most_once(path: str) -> None:
    append(path, "started")
    os.kill(os.getpid(), 9)


@task
def return_a_set() -> Any:
    return {1, 2}


@task
def return_much(characters: int) -> str:
    return "x" * characters


@task
def return_hostile_text() -> Any:
    return "\0 \ud800"


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class UnprintableByExit(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class NotEvenAnException(BaseException):
    pass


def _chained(depth: int) -> Exception:
    error = Refusal("the root")
    for number in range(depth):
        following = Refusal(f"link {number}")
        following.__cause__ = error
        error = following
    return error


def _recurse() -> NoReturn:
    _recurse()
    raise AssertionError


HOSTILE: dict[str, Callable[[], BaseException]] = {
    "unprintable": Unprintable,
    "unprintable by exit": UnprintableByExit,
    "base": lambda: NotEvenAnException("not even an exception"),
    "exit": lambda: SystemExit(0),
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "stop": lambda: StopIteration(5),
    "generator": GeneratorExit,
    "huge": lambda: Refusal("x" * 5_000_000),
    "nul": lambda: Refusal("a\0b\ud800c"),
    "chained": lambda: _chained(5_000),
    "group": lambda: ExceptionGroup("many", [Refusal(str(n)) for n in range(5_000)]),
    "named": lambda: type("N" * 1_000, (Exception,), {"__module__": "m" * 1_000})("long name"),
    "moduleless": lambda: type("Nowhere", (Exception,), {"__module__": None})("no module"),
}


@task
def raise_hostile(kind: str) -> None:
    if kind == "recursion":
        _recurse()
    error = HOSTILE[kind]()
    raise error


@task
async def raise_hostile_async(kind: str) -> None:
    if kind == "recursion":
        _recurse()
    error = HOSTILE[kind]()
    raise error


@task
async def exit_in_a_child() -> None:
    async def child() -> NoReturn:
        raise SystemExit(4)

    await asyncio.create_task(child())


@task
async def cancel_itself() -> int:
    count = await User.objects.acount()
    current = asyncio.current_task()
    assert current
    current.cancel()
    return count


@task
def leave_a_transaction_open() -> None:
    transaction.atomic().__enter__()
    User.objects.create(username="never committed")


@task
def schedule_more(path: str) -> None:
    from django_agenda import schedule

    schedule(note)(path, "child")


def append(path: str, word: str) -> int:
    """Append a line in one write, and return how many lines there are then."""
    with Path(path).open("ab", buffering=0) as file:
        file.write(f"{word}\n".encode())
    return len(lines(path))


def lines(path: str | Path) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


if os.environ.get("AGENDA_TEST_KNOWS_MORE"):

    def only_here(number: int) -> int:
        return number

    # As if it came from an app that only this process has.
    only_here.__module__ = "elsewhere.tasks"
    task(only_here)
