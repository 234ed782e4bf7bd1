"""What runs while a process is in a trap; the ledger says what each body did."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from django_agenda import current, task
from django_agenda.models import Worker
from tests.tasks import Refusal, append
from tests.waiting import wait_until


def in_the_body() -> None:
    """Do nothing: the place of a trap inside a body."""


@task(max_attempts=3, backoff=0.01)
def note(ledger: str, number: int) -> int:
    append(ledger, f"start {number}")
    in_the_body()
    append(ledger, f"end {number}")
    return number


@task(max_attempts=3, backoff=0.01)
def stumble(ledger: str, number: int) -> int:
    """Fail once; the try after that is a good one."""
    if current.attempt == 1:
        raise Refusal("at the first try")
    append(ledger, f"start {number}")
    append(ledger, f"end {number}")
    return number


@task
def stop_the_worker(ledger: str, number: int, mark: str) -> int:
    """Tell the worker that runs it first to end, and go on once it drains."""
    append(ledger, f"start {number}")
    mine = Worker.objects.filter(pid=os.getpid(), status="active")
    if number == 1 and not Path(mark).exists():
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until(lambda: not mine.exists() or Path(mark).exists(), 10)
        with suppress(AssertionError):
            wait_until(Path(mark).exists, 0.3)
    append(ledger, f"end {number}")
    return number


@task
def note_end(batch_id: int) -> int:
    return batch_id
