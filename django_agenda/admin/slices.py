"""A span cut into equal slices, and how many executions of which status are planned in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db.models import Count, F, QuerySet
from django.db.models.expressions import Combinable

from django_agenda.models.execution import Execution

from .span import Span
from .states import OUTCOMES

MOST = 160
FEW = 40
_FOLD = MOST // FEW


class Grid(NamedTuple):
    """Hold slices of one width; the first and the last are cut off at the ends of the span."""

    origin_ms: int
    width_ms: int
    size: int
    lo_ms: int
    hi_ms: int

    def bounds(self, place: int) -> tuple[int, int]:
        """Return where a slice begins and ends, inside the span."""
        begin = self.origin_ms + place * self.width_ms
        end = self.hi_ms if place == self.size - 1 else begin + self.width_ms
        return max(begin, self.lo_ms), max(min(end, self.hi_ms), self.lo_ms)

    def place(self, slice_offset_ms: int) -> int:
        """Return which slice begins at that offset from the origin."""
        return min(max(slice_offset_ms // self.width_ms, 0), self.size - 1)

    @property
    def slice_start(self) -> Combinable:
        """Return the SQL for where an execution's slice begins, counted from the origin.

        Only whole numbers and a remainder: that is the same on every database.
        """
        from_origin = F("planned_offset_ms") - self.origin_ms
        return from_origin - from_origin % self.width_ms


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


def cut(span: Span, now_ms: int | None) -> Grid:
    """Cut a span so that no slice lies on both sides of now, even after coarser()."""
    width = -(-span.length_ms // MOST)
    phase = 0
    if now_ms is not None and span.lo_ms < now_ms < span.hi_ms:
        phase = -(now_ms - span.lo_ms) % (width * _FOLD)
    origin = span.lo_ms - phase
    return Grid(origin, width, max(1, -(-(span.hi_ms - origin) // width)), span.lo_ms, span.hi_ms)


def histogram(rows: QuerySet[Execution], grid: Grid) -> Histogram:
    """Count in one statement, which an index covers."""
    found = (
        rows.filter(planned_offset_ms__range=(grid.lo_ms, grid.hi_ms))
        .annotate(slice=grid.slice_start)
        .values_list("slice", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    return tabulate(grid, found)


def tabulate(grid: Grid, found: Iterable[tuple[int, str, int]]) -> Histogram:
    """Arrange (slice, status, count), in the order in which outcomes are stacked."""
    counts: dict[str, list[int]] = {}
    for start, status, number in found:
        line = counts.setdefault(status, [0] * grid.size)
        line[grid.place(int(start))] += number
    ordered = {status: counts[status] for status in OUTCOMES if status in counts}
    return Histogram(grid, ordered)


def coarser(fine: Histogram) -> Histogram:
    """Join slices, so that few executions do not look like a comb."""
    grid = fine.grid
    size = -(-grid.size // _FOLD)
    joined = Grid(grid.origin_ms, grid.width_ms * _FOLD, size, grid.lo_ms, grid.hi_ms)
    counts = {
        status: [sum(line[at : at + _FOLD]) for at in range(0, grid.size, _FOLD)]
        for status, line in fine.counts.items()
    }
    return Histogram(joined, counts)
