"""The lower track for more than that: how many started how late, and the quantiles over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axis import Axis, block, number
from .bars import Layer
from .lag_scale import LagScale

_ROWS = 14
_SHADES = 5
QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
_LABEL_GAP = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Hold one quantile over time, and where its name goes at the end of it."""

    name: str
    path: str
    label_x: str
    label_y: str


def heat(
    axis: Axis,
    edges: Sequence[tuple[int, int]],
    scale: LagScale,
    cells: Sequence[tuple[int, int, int]],
) -> list[Layer]:
    """Draw (slice, lateness, count) as cells in five shades, one path a shade."""
    counts: dict[tuple[int, int], int] = {}
    for place, lag_ms, many in cells:
        share = (scale.bottom - scale.y(lag_ms)) / scale.height
        cell = (place, min(int(share * _ROWS), _ROWS - 1))
        counts[cell] = counts.get(cell, 0) + many
    most = max(counts.values(), default=1)
    paths: dict[int, list[str]] = {}
    height = scale.height / _ROWS
    for (place, row), many in sorted(counts.items()):
        left, right = (axis.x(edge) for edge in edges[place])
        top = scale.bottom - (row + 1) * height
        shade = min(int((many / most) ** 0.5 * _SHADES), _SHADES - 1)
        paths.setdefault(shade, []).append(block(left, top, max(right - left, 0.5), height))
    return [Layer(slug=str(shade + 1), path="".join(paths[shade])) for shade in sorted(paths)]


def lines(
    axis: Axis,
    edges: Sequence[tuple[int, int]],
    scale: LagScale,
    quantiles: Sequence[tuple[str, Sequence[float | None]]],
) -> list[Line]:
    """Draw quantiles of each slice as lines of steps; where nothing started there is a gap."""
    found: list[Line] = []
    lowest_label = float("inf")
    for name, values in quantiles:
        parts, y, end, is_down = [], scale.bottom, 0, False
        for place, value in enumerate(values):
            if value is None:
                is_down = False
                continue
            left, right = (axis.x(edge) for edge in edges[place])
            y, end = scale.y(value), edges[place][1]
            parts.append(f"{'L' if is_down else 'M'}{number(left)} {number(y)}H{number(right)}")
            is_down = True
        if parts:
            lowest_label = min(y, lowest_label - _LABEL_GAP)
            found.append(
                Line(
                    name=name,
                    path="".join(parts),
                    label_x=axis.percent(end),
                    label_y=number(lowest_label),
                )
            )
    return found
