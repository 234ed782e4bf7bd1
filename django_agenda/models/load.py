"""How busy a worker was in the last quarter of an hour, as it is stored in its row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

STEP = timedelta(seconds=15)
STEPS = 60


class Step(NamedTuple):
    """Hold one step: its number since 1970, how many slots were busy, how many bodies failed.

    `busy` is the mean of what its heartbeats found, so it may be a fraction.
    """

    number: int
    busy: float
    failed: int


def step_of(moment: datetime) -> int:
    """Return the number of the step in which a moment lies."""
    return int(moment.timestamp() // STEP.total_seconds())


def read_load(stored: Any, moment: datetime) -> list[Step | None]:
    """Return the steps up to a moment, the oldest first; None where the worker was not heard."""
    newest = step_of(moment)
    known = {step.number: step for step in (Step(*one) for one in stored)}
    return [known.get(number) for number in range(newest - STEPS + 1, newest + 1)]
