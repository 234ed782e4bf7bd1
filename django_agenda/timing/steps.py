"""Durations in steps, so that a million of them can be kept as a hundred counts."""

from __future__ import annotations

# Below so many milliseconds, steps of so many: 4 % of a decade, and finer at the bottom.
_DECADES: tuple[int, ...] = tuple(10**power for power in range(3, 10))
STEPS: tuple[tuple[int, int], ...] = ((20, 1), (100, 4), *((top, top // 25) for top in _DECADES))


def step_width(milliseconds: int) -> int:
    """Return the width of the step in which a duration lies."""
    for top, width in STEPS:
        if milliseconds < top:
            return width
    return STEPS[-1][1]


def step_of(milliseconds: int) -> int:
    """Return where the step begins in which a duration lies; below 0 is 0."""
    duration = max(milliseconds, 0)
    return duration - duration % step_width(duration)
