"""A part of a batch's window, cut into equal slices."""

from __future__ import annotations

from typing import NamedTuple, Self

from django.db.models import F
from django.db.models.expressions import Combinable

MOST = 160
FEW = 40
FOLD = MOST // FEW
_FEWEST = 8


class Grid(NamedTuple):
    """Hold slices of one width; the first and the last are cut off at the ends of the span."""

    origin_ms: int
    width_ms: int
    size: int
    lo_ms: int
    hi_ms: int

    @classmethod
    def over(cls, lo_ms: int, hi_ms: int, now_ms: int | None = None, *, unit_ms: int = 1) -> Self:
        """Cut a span so that no slice lies on both sides of now, even FOLD of them together.

        A slice is a multiple of the unit, so that what is spread evenly by it looks so.
        """
        length = max(hi_ms - lo_ms, 1)
        width = -(-length // MOST)
        if unit_ms * _FEWEST <= length:
            width = -(-width // unit_ms) * unit_ms
        phase = 0
        if now_ms is not None and lo_ms < now_ms < hi_ms:
            phase = -(now_ms - lo_ms) % (width * FOLD)
        origin = lo_ms - phase
        return cls(origin, width, max(1, -(-(hi_ms - origin) // width)), lo_ms, hi_ms)

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
