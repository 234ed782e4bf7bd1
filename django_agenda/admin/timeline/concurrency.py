"""How many ran at once, slice by slice, against how many could."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .axis import Axis, block, number
from .bars import Level

HEIGHT = 44.0
_MOST_IDLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """Hold the track: its columns as a path, its scale, and where the capacity lies."""

    path: str
    levels: Sequence[Level]
    capacity_y: str
    capacity: int
    caption_y: str
    bottom: str


def most_at_once(spells: Iterable[tuple[int, int]], edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the most of (start, end) that overlap in each slice; what lies outside is left out.

    One that ends as another starts does not overlap it; one without length counts at its moment.
    """
    turns = sorted(
        turn for start, end in spells for turn in ((start, 1), (max(end, start + 1), -1))
    )
    found, running, place = [], 0, 0
    for begin, end in edges:
        while place < len(turns) and turns[place][0] < begin:
            running += turns[place][1]
            place += 1
        while place < len(turns) and turns[place] == (begin, -1):
            running -= 1
            place += 1
        most = running
        while place < len(turns) and turns[place][0] < end:
            running += turns[place][1]
            most = max(most, running)
            place += 1
        found.append(most)
    return found


def concurrency(
    axis: Axis,
    edges: Sequence[tuple[int, int]],
    most: Sequence[int],
    *,
    top: float,
    capacity: int = 0,
) -> Concurrency | None:
    """Draw a column a slice; None when nothing ran."""
    highest = max(most, default=0)
    if not highest:
        return None
    # Far above everything it would leave no room for what ran.
    ceiling = capacity if capacity <= _MOST_IDLE * highest else 0
    scale, bottom = HEIGHT / max(highest, ceiling), top + HEIGHT
    columns = []
    for (begin, end), many in zip(edges, most, strict=True):
        if many:
            left, right = axis.x(begin), axis.x(end)
            columns.append(block(left, bottom - many * scale, max(right - left, 0.4), many * scale))
    levels = [Level(y=number(bottom - highest * scale), label=str(highest))]
    return Concurrency(
        path="".join(columns),
        levels=levels,
        capacity_y=number(bottom - ceiling * scale) if ceiling else "",
        capacity=capacity,
        caption_y=number(top - 8),
        bottom=number(bottom),
    )
