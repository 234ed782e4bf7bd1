"""Lateness from bottom to top: nothing at the bottom, then ten times as much in equal steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django_agenda.admin.units import DAYS, HOURS, MILLISECONDS, MINUTES, SECONDS

from .axis import number
from .bars import Level

_KNEE_MS = 10
_LEAST_TOP_MS = 100
_CLOSEST = 18
_ROUND = (
    (0, 0, ""),
    (10, 10, MILLISECONDS),
    (100, 100, MILLISECONDS),
    (1000, 1, SECONDS),
    (10_000, 10, SECONDS),
    (60_000, 1, MINUTES),
    (600_000, 10, MINUTES),
    (3_600_000, 1, HOURS),
    (36_000_000, 10, HOURS),
    (345_600_000, 4, DAYS),
    (3_456_000_000, 40, DAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LagScale:
    """Map lateness in milliseconds to a height between `bottom` and `bottom - height`."""

    bottom: float
    height: float
    top_ms: int

    def y(self, lag_ms: float) -> float:
        """Return how far down it lies; what is early lies at the bottom."""
        share = math.log1p(max(lag_ms, 0) / _KNEE_MS) / math.log1p(self.top_ms / _KNEE_MS)
        return self.bottom - self.height * min(share, 1.0)

    @property
    def levels(self) -> list[Level]:
        """Return round values, as many as have room."""
        found: list[Level] = []
        above = math.inf
        for value, many, unit in _ROUND:
            y = self.y(value)
            if value <= self.top_ms and above - y >= _CLOSEST:
                found.append(Level(y=number(y), label=f"{many} {unit}".rstrip()))
                above = y
        return found


def lag_scale(longest_ms: int | None, *, bottom: float, height: float) -> LagScale:
    """Return a scale that ends a little above the longest lateness."""
    longest = max(longest_ms or 0, _LEAST_TOP_MS)
    return LagScale(bottom=bottom, height=height, top_ms=math.ceil(longest * 1.15))
