"""Tasks that hurt the process that runs them, or take long on purpose."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

from django.contrib.auth.models import User

from django_agenda import current, task
from tests.tasks import append, lines
from tests.waiting import wait_until

__all__ = ["append", "lines"]


@task
def note(path: str, word: str) -> int:
    append(path, word)
    return os.getpid()


@task
def wait_for_file(path: str, word: str, end: str) -> int:
    """Say that it started, and end as soon as there is a file `end`."""
    append(path, word)
    wait_until(lambda: Path(end).exists(), 30)
    append(path, f"{word} ended")
    return os.getpid()


@task
def kill_the_process_once(path: str) -> str:
    if append(path, "started") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "ended"


@task(timeout=0.3)
def sleep_over_the_timeout(path: str, seconds: float) -> None:
    append(path, "slept")
    time.sleep(seconds)  # noqa: TID251  a call that heeds nothing is what this is about


GATE = threading.Event()


@task(timeout=0.05)
def wait_at_the_gate() -> str:
    """Wait for a lock, which heeds no time-out."""
    GATE.wait(30)
    return "let through"


@task(timeout=1, max_attempts=2, backoff=0.01)
def sleep_at_the_first_try(path: str, seconds: float) -> str:
    if append(path, str(os.getpid())) == 1:
        time.sleep(seconds)  # noqa: TID251
    return "in time"


@task(timeout=0.3)
def hold_the_interpreter(path: str) -> None:
    append(path, "held")
    re.match(r"(a+)+b", "a" * 60)


@task(timeout=0.3)
async def block_the_loop(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251, ASYNC251


@task(cpu_bound=True)
def compute(seconds: float) -> list[float]:
    """Return the process, and when it began and ended."""
    began = time.monotonic()  # noqa: TID251
    while time.monotonic() < began + seconds:  # noqa: TID251
        sum(range(1000))
    return [os.getpid(), began, time.monotonic()]  # noqa: TID251


@task(cpu_bound=True)
def compute_and_exit(path: str) -> str:
    if append(path, "started") == 1:
        os._exit(9)
    return "ended"


@task(cpu_bound=True)
def always_exit() -> None:
    os._exit(9)


@task(cpu_bound=True, timeout=0.3)
def compute_over_the_timeout(path: str) -> None:
    append(path, "held")
    re.match(r"(a+)+b", "a" * 60)


@task(cpu_bound=True)
def compute_until_cancelled(path: str) -> str:
    append(path, "started")
    wait_until(lambda: current.cancelled, 30)
    return "heard"


@task(cpu_bound=True, atomic=True)
def compute_and_store(name: str) -> int:
    User.objects.create(username=name)
    return os.getpid()


@task(cpu_bound=True)
def fail_to_compute() -> None:
    raise ZeroDivisionError("on purpose")


_held: list[bytes] = []


@task
def take_memory(megabytes: int) -> int:
    _held.append(os.urandom(1) * (megabytes * 2**20))
    return os.getpid()
