"""How late and how long: exact from rows, or from counts in steps when there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django_agenda.scheduling.count import Lags, Runs
from django_agenda.timing.steps import step_width


class Sketch(NamedTuple):
    """Hold how often a duration fell into which step: pairs in the order of the steps.

    `longest` is the longest of them where that was measured: no quantile is above it.
    """

    steps: Sequence[tuple[int, int]]
    exact: bool = False
    longest: int | None = None

    @property
    def size(self) -> int:
        """Return how many durations there are."""
        return sum(number for _, number in self.steps)

    def quantile(self, share: float) -> float | None:
        """Return the duration that this share does not exceed; exact to the step."""
        rank, before = share * (self.size - 1), 0
        for low, number in self.steps:
            if rank < before + number:
                width = 1 if self.exact else step_width(low)
                found = low + (width - 1) * (rank - before + 0.5) / number
                return found if self.longest is None else min(found, max(self.longest, 0))
            before += number
        return None


class Times(NamedTuple):
    """Hold what the numbers of a span are made of; offsets count from the start of the batch.

    `shift_ms` is how far off its slot the plan lies, at the least and at the most; None: unknown.
    """

    lag: Sketch
    run: Sketch
    longest_lag_ms: int | None
    first_start_ms: int | None
    last_end_ms: int | None
    shift_ms: tuple[int, int] | None = None


class Started(NamedTuple):
    """Hold one execution that has started: all in milliseconds."""

    started_ms: int
    lag_ms: int
    run_ms: int | None


def exact_sketch(durations: Iterable[int]) -> Sketch:
    """Count durations to the millisecond."""
    counts: dict[int, int] = {}
    for value in durations:
        counts[max(value, 0)] = counts.get(max(value, 0), 0) + 1
    return Sketch(sorted(counts.items()), exact=True)


def times_of(started: Sequence[Started], shifts: Sequence[int]) -> Times:
    """Return the times of executions that are all in memory."""
    ended = [row for row in started if row.run_ms is not None]
    return Times(
        exact_sketch(row.lag_ms for row in started),
        exact_sketch(row.run_ms or 0 for row in ended),
        max((row.lag_ms for row in started), default=None),
        min((row.started_ms for row in started), default=None),
        max((row.started_ms + (row.run_ms or 0) for row in ended), default=None),
        (min(shifts), max(shifts)) if shifts else None,
    )


def times_from(lags: Lags, runs: Runs) -> Times:
    """Return the times of a span from counts."""
    by_step: Counter[int] = Counter()
    for (_, step), number in lags.items():
        by_step[step] += number
    lag = Sketch(sorted(by_step.items()), longest=runs.longest_lag_ms)
    return Times(lag, Sketch(sorted(runs.steps.items())), *runs[1:])
