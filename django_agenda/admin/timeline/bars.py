"""The upper track: how many executions are planned in each slice, stacked by outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django_agenda.admin.wording import count

from .axis import Axis, block, number

_GAP = 0.8
_GAP_SHARE = 0.12
_LEAST = 1.5
_TROUBLE = frozenset({"failed", "missed", "pending"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Hold one path and the state that gives it its colour."""

    slug: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Hold one horizontal line with its label."""

    y: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Hold the layers of a stacked histogram and its scale."""

    layers: Sequence[Layer]
    levels: Sequence[Level]


def stack(
    axis: Axis,
    edges: Sequence[tuple[int, int]],
    counts: Mapping[str, Sequence[int]],
    *,
    bottom: float,
    height: float,
) -> Bars:
    """Draw bars up from `bottom`; statuses are stacked in their order.

    What did not go well is at least a visible line, however small its share.
    """
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    highest = max(totals, default=0)
    paths: dict[str, list[str]] = {status: [] for status in counts}
    for place, (begin, end) in enumerate(edges):
        if not totals or not totals[place]:
            continue
        left, width = _column(axis, begin, end)
        y = bottom
        column = {status: line[place] for status, line in counts.items() if line[place]}
        for status, part in _heights(column, highest, height).items():
            y -= part
            paths[status].append(block(left, y, width, part))
    layers = [Layer(slug=status, path="".join(parts)) for status, parts in paths.items() if parts]
    return Bars(layers=layers, levels=_levels(highest, bottom, height))


def _column(axis: Axis, begin: int, end: int) -> tuple[float, float]:
    left, right = axis.x(begin), axis.x(end)
    gap = min(max((right - left) * _GAP_SHARE, _GAP), (right - left) / 4)
    return left, max(right - left - gap, 0.4)


def _heights(column: Mapping[str, int], highest: int, height: float) -> dict[str, float]:
    """Share out the height of a bar; what trouble needs to be seen comes from the rest."""
    parts = {status: height * count / highest for status, count in column.items()}
    faint = [name for name, part in parts.items() if name in _TROUBLE and part < _LEAST]
    payers = [name for name in parts if name not in faint]
    if faint and payers:
        richest = max(payers, key=parts.__getitem__)
        owed = sum(_LEAST - parts[name] for name in faint)
        parts[richest] = max(parts[richest] - owed, 0.0)
    return parts | dict.fromkeys(faint, _LEAST)


def _levels(highest: int, bottom: float, height: float) -> list[Level]:
    """Label the top, and half of it when that is a whole number or a round one below."""
    if not highest:
        return []
    values = [highest]
    half = _round_below(highest / 2)
    if 0 < half < highest * 0.75:
        values.append(half)
    return [
        Level(y=number(bottom - height * value / highest), label=count(value)) for value in values
    ]


def _round_below(value: float) -> int:
    if value < 1:
        return 0
    power = 10 ** math.floor(math.log10(value))
    return int(value // power * power)
