"""Tasks that schedules of the tests run; what they did is in a file that the test names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django_agenda import current, task
from tests.tasks import append
from tests.waiting import wait_until


@task
def note(ledger: str, word: str = "ran") -> str:
    append(ledger, word)
    return word


@task
def note_until(ledger: str, gate: str) -> None:
    """Run until the test opens the gate."""
    append(ledger, "start")
    wait_until(Path(gate).exists, 10)
    append(ledger, "end")


@task
def go_on(ledger: str, number: int = 1) -> None:
    append(ledger, str(number))
    current.next(args=(ledger, number + 1), kwargs={})


@task
async def go_on_soon(ledger: str, number: int = 1) -> None:
    append(ledger, str(number))
    if number < 3:
        current.next(args=[ledger, number + 1], after=timedelta(milliseconds=20))


@task
def stop_after(ledger: str, word: str = "ran") -> None:
    append(ledger, word)
    current.stop_schedule()


@task(atomic=True)
def stop_together(ledger: str) -> None:
    append(ledger, "ran")
    current.stop_schedule()


@task
def fail_and_stop() -> None:
    current.stop_schedule()
    raise ValueError("after it asked")


@task
def flood(ledger: str, count: int) -> None:
    for number in range(count):
        current.agenda.add(note)(ledger, f"flood {number}")


@task
async def flood_async(ledger: str, count: int) -> None:
    for number in range(count):
        current.agenda.add(note)(ledger, f"flood {number}")


@task
def flood_and_fail(ledger: str) -> None:
    current.agenda.add(note)(ledger)
    raise ValueError("after it added")


@task
def ask_in_vain() -> None:
    current.next(after=1)
