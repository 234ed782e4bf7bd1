"""A span cut into equal slices, and how many executions of which status are planned in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django_agenda.admin.states import OUTCOMES
from django_agenda.scheduling.count import Outcomes
from django_agenda.scheduling.grid import FOLD, Grid


class Histogram(NamedTuple):
    """Hold the counts of a grid, by status and then by slice."""

    grid: Grid
    counts: Mapping[str, list[int]]

    @property
    def total(self) -> int:
        """Return how many executions are planned in the span."""
        return sum(map(sum, self.counts.values()))

    @property
    def highest(self) -> int:
        """Return the count of the fullest slice."""
        return max(map(sum, zip(*self.counts.values(), strict=True)), default=0)

    def of(self, status: str) -> int:
        """Return how many of a status are planned in the span."""
        return sum(self.counts.get(status, ()))


def tabulate(grid: Grid, found: Outcomes) -> Histogram:
    """Arrange (status, slice), in the order in which outcomes are stacked."""
    counts: dict[str, list[int]] = {}
    for (status, place), number in found.items():
        counts.setdefault(status, [0] * grid.size)[place] += number
    ordered = {status: counts[status] for status in OUTCOMES if status in counts}
    return Histogram(grid, ordered)


def coarser(fine: Histogram) -> Histogram:
    """Join slices, so that few executions do not look like a comb."""
    grid = fine.grid
    size = -(-grid.size // FOLD)
    joined = Grid(grid.origin_ms, grid.width_ms * FOLD, size, grid.lo_ms, grid.hi_ms)
    counts = {
        status: [sum(line[at : at + FOLD]) for at in range(0, grid.size, FOLD)]
        for status, line in fine.counts.items()
    }
    return Histogram(joined, counts)
