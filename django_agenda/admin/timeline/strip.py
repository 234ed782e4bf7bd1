"""The upper track alone: the load of a stretch of time around now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from .axis import Axis, Tick, number, ticks
from .bars import Bars, stack

_TOP, _BARS_TOP, _BARS_HEIGHT, _AXIS_HEIGHT = 18.0, 38.0, 110.0, 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Hold an invisible column that tells its numbers under the pointer."""

    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Hold what the template writes down; lengths are pixels unless they say per cent."""

    height: str
    top: str
    bottom: str
    plot_height: str
    label_y: str
    now: str
    ticks: Sequence[Tick]
    bars: Bars
    columns: Sequence[Column]


def draw_strip(
    axis: Axis,
    zone: tzinfo,
    edges: Sequence[tuple[int, int]],
    counts: Mapping[str, Sequence[int]],
    *,
    titles: Sequence[str],
    now_ms: int,
) -> Strip:
    """Lay out the bars, an axis below them, and a column for each title that is not empty."""
    bottom = _BARS_TOP + _BARS_HEIGHT
    columns = [
        Column(
            x=axis.percent(begin),
            width=f"{number((axis.share(end) - axis.share(begin)) * 100, 3)}%",
            title=title,
        )
        for (begin, end), title in zip(edges, titles, strict=True)
        if title
    ]
    return Strip(
        height=number(bottom + _AXIS_HEIGHT),
        top=number(_TOP),
        bottom=number(bottom),
        plot_height=number(bottom - _TOP),
        label_y=number(bottom + 16),
        now=axis.percent(now_ms),
        ticks=ticks(axis, zone),
        bars=stack(axis, edges, counts, bottom=bottom, height=_BARS_HEIGHT),
        columns=columns,
    )
