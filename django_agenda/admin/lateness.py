"""How late and how long: exact from rows, or from counts in steps when there are too many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, Max, Min, QuerySet, Value, When

from django_agenda.models.execution import Execution
from django_agenda.timing.steps import STEPS, step_width

from .slices import Grid


class Sketch(NamedTuple):
    """Hold how often a duration fell into which step: pairs in the order of the steps."""

    steps: Sequence[tuple[int, int]]
    exact: bool = False

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
                return low + (width - 1) * (rank - before + 0.5) / number
            before += number
        return None


class Times(NamedTuple):
    """Hold what the numbers of a span are made of; offsets count from the start of the batch."""

    lag: Sketch
    run: Sketch
    longest_lag_ms: int | None
    first_start_ms: int | None
    last_end_ms: int | None


class Started(NamedTuple):
    """Hold one execution that has started: all in milliseconds."""

    planned_ms: int
    lag_ms: int
    run_ms: int | None


def exact_sketch(durations: Iterable[int]) -> Sketch:
    """Count durations to the millisecond."""
    counts: dict[int, int] = {}
    for value in durations:
        counts[max(value, 0)] = counts.get(max(value, 0), 0) + 1
    return Sketch(sorted(counts.items()), exact=True)


def times_of(started: Sequence[Started]) -> Times:
    """Return the times of executions that are all in memory."""
    ended = [row for row in started if row.run_ms is not None]
    return Times(
        exact_sketch(row.lag_ms for row in started),
        exact_sketch(row.run_ms or 0 for row in ended),
        max((row.lag_ms for row in started), default=None),
        min((row.planned_ms + row.lag_ms for row in started), default=None),
        max((row.planned_ms + row.lag_ms + (row.run_ms or 0) for row in ended), default=None),
    )


def lag_steps(rows: QuerySet[Execution], grid: Grid) -> list[tuple[int, int, int]]:
    """Return (slice, step of the lateness, count) of what has started in the grid's span."""
    found = (
        _started(rows, grid)
        .annotate(slice=grid.slice_start, step=sql_step("lag_ms"))
        .values_list("slice", "step")
        .annotate(count=Count("*"))
        .order_by()
    )
    return [(grid.place(int(start)), max(int(step), 0), count) for start, step, count in found]


def estimate(rows: QuerySet[Execution], grid: Grid, lags: list[tuple[int, int, int]]) -> Times:
    """Return the times of a span from counts; `lags` is what lag_steps() gave."""
    by_step: dict[int, int] = {}
    for _, step, number in lags:
        by_step[step] = by_step.get(step, 0) + number
    start = F("planned_offset_ms") + F("lag_ms")
    found = list(
        _started(rows, grid)
        .annotate(step=sql_step("run_ms"))
        .values_list("step")
        .annotate(
            count=Count("*"), lag=Max("lag_ms"), first=Min(start), last=Max(start + F("run_ms"))
        )
        .order_by()
    )
    runs = {max(int(row[0]), 0): row[1] for row in found if row[0] is not None}
    return Times(
        Sketch(sorted(by_step.items())),
        Sketch(sorted(runs.items())),
        max((row[2] for row in found), default=None),
        min((row[3] for row in found), default=None),
        max((row[4] for row in found if row[4] is not None), default=None),
    )


def _started(rows: QuerySet[Execution], grid: Grid) -> QuerySet[Execution]:
    return rows.filter(planned_offset_ms__range=(grid.lo_ms, grid.hi_ms), lag_ms__isnull=False)


def sql_step(field: str) -> Any:
    """Return the SQL for the bottom of a duration's step."""
    *lower, (_, highest) = STEPS
    return Case(
        When(**{f"{field}__isnull": True}, then=Value(None)),
        *(When(**{f"{field}__lt": top}, then=F(field) - F(field) % width) for top, width in lower),
        default=F(field) - F(field) % highest,
    )
