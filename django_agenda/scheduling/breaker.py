"""Pause a batch in which too much fails."""

from __future__ import annotations

from collections.abc import Sequence

from django_agenda.models.counters import BatchState

from .mark import mark_paused

# A share of fewer outcomes than this says nothing.
ENOUGH_OUTCOMES = 20


def check_max_failures(value: object) -> float | None:
    """Return a count (whole, from 1) or a share (above 0, below 1), or raise ValueError."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"'max_failures' must be a number, not {value!r}")
    if not 0 < value < 2**31 or (value > 1 and value != int(value)):
        raise ValueError(
            f"'max_failures' must be a whole number from 1, or a share below 1, not {value!r}"
        )
    return float(value)


def trip(using: str, states: Sequence[BatchState]) -> None:
    """Pause those batches that have reached their `max_failures`, and say why.

    Must follow the counters.apply() that returned the states, in its transaction: from its commit
    on nothing more of them is claimed. Their rows are settled by the caretaker.
    """
    for state in states:
        if state.max_failures is None or state.is_finished or state.is_paused:
            continue
        if reason := _reason(state, state.max_failures):
            mark_paused(using, state.id, reason)


def _reason(state: BatchState, most: float) -> str:
    """Say how many failed since the last resume(), or nothing when they are few enough."""
    failures = state.failed + state.missed
    outcomes = max(0, state.succeeded + failures - state.forgiven_outcomes)
    failures = max(0, failures - state.forgiven_failures)
    if most >= 1:
        is_much = failures >= most
    else:
        is_much = outcomes >= ENOUGH_OUTCOMES and failures >= most * outcomes
    return f"{failures} of {outcomes} failed; max_failures is {most:g}" if is_much else ""
