"""A lane for each status that the track above cannot show: what never started, what failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .axis import Axis, block, number

PITCH = 20
_TALLEST = 14
_SHORTEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Hold one lane: its marks as a path, where its label goes, and how many it shows."""

    slug: str
    label: str
    count: int
    base: str
    middle: str
    icon_y: str
    path: str


def lanes(
    axis: Axis,
    edges: Sequence[tuple[int, int]],
    counts: Mapping[str, Sequence[int]],
    *,
    labels: Mapping[str, str],
    top: float,
) -> list[Lane]:
    """Draw one lane a status, from `top` down: a mark a slice, the taller the more there are."""
    found: list[Lane] = []
    for slug, line in counts.items():
        if not any(line):
            continue
        base = top + PITCH * (len(found) + 1) - 3
        most = math.sqrt(max(line))
        marks = [
            _mark(axis, edges[place], _height(math.sqrt(many) / most), base)
            for place, many in enumerate(line)
            if many
        ]
        found.append(
            Lane(
                slug=slug,
                label=labels.get(slug, slug),
                count=sum(line),
                base=number(base),
                middle=number(base - 6),
                icon_y=number(base - 12.5),
                path="".join(marks),
            )
        )
    return found


def _height(share: float) -> float:
    return _SHORTEST + (_TALLEST - _SHORTEST) * share


def _mark(axis: Axis, edge: tuple[int, int], height: float, base: float) -> str:
    left, right = axis.x(edge[0]), axis.x(edge[1])
    return block(left, base - height, max((right - left) * 0.86, 0.8), height)
