"""Put the tracks of a timeline under each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Literal

from .axis import Axis, Tick, number, ticks
from .bars import Bars, Layer, Level, stack
from .concurrency import Concurrency, concurrency
from .density import QUANTILES, Line, heat, lines
from .dots import dots
from .lag_scale import LagScale, lag_scale
from .lanes import PITCH, Lane, lanes
from .rows import Item, Rows, rows

ROWS_UP_TO = 200
DOTS_UP_TO = 5000

_BARS_TOP = 38.0
_BARS_HEIGHT = 84.0
_LOWER_TOP = 162.0
_LAG_HEIGHT = 168.0
_AXIS_HEIGHT = 24.0
_CAPTION_HEIGHT = 30.0
_PLOT_TOP = 18.0
_FLIPS_FROM = 0.9
_CROWDED = 1500
_NEVER_STARTED = ("pending", "missed", "cancelled", "skipped", "scheduled")
_NOT_IN_DENSITY = ("failed", "missed", "pending", "cancelled")

Detail = Literal["rows", "dots", "density"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """Hold a part of the time that is a link to itself, and the slices in it."""

    url: str
    title: str
    slices: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Hold what is to be drawn; of the last three, what the level of detail needs.

    `edges` are the slices, `counts` their executions by status. `dots` are (planned, status,
    lateness), `cells` (slice, lateness, count), `quantiles` those of QUANTILES, slice by slice.
    `most_at_once` is by slice as well; `marks` are moments with words.
    """

    axis: Axis
    zone: tzinfo
    detail: Detail
    edges: Sequence[tuple[int, int]]
    counts: Mapping[str, Sequence[int]]
    labels: Mapping[str, str]
    zooms: Sequence[Zoom] = ()
    now_ms: int | None = None
    end_ms: int | None = None
    paused_ms: Sequence[tuple[int, int]] = ()
    longest_lag_ms: int | None = None
    items: Sequence[Item] = ()
    dots: Sequence[tuple[int, str, int]] = ()
    cells: Sequence[tuple[int, int, int]] = ()
    quantiles: Sequence[Sequence[float | None]] = ()
    idle: Mapping[str, Sequence[int]] = field(default_factory=dict)
    most_at_once: Sequence[int] = ()
    capacity: int = 0
    marks: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Hold an invisible column that tells its numbers under the pointer."""

    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Hold a zoom link and its columns."""

    url: str
    title: str
    hits: Sequence[Hit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Hold a stretch of time behind the tracks."""

    x: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Hold a moment at which somebody did something."""

    x: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Hold all that the template writes down; lengths are pixels unless they say per cent.

    `lo` and `hi` are where the drawing begins and ends, in milliseconds from the batch's start.
    """

    detail: Detail
    lo: str
    hi: str
    height: str
    plot_top: str
    plot_bottom: str
    plot_height: str
    label_y: str
    ticks: Sequence[Tick]
    is_crowded: bool
    now: str
    now_is_right: bool
    end: str
    outside: Band | None
    pauses: list[Band]
    bars: Bars
    bars_bottom: str
    links: Sequence[Link]
    bars_height: str
    lower_caption_y: str
    lower_bottom: str
    lag_levels: Sequence[Level]
    rows: Rows | None
    dots: Sequence[Layer]
    heat: Sequence[Layer]
    lines: Sequence[Line]
    lanes: Sequence[Lane]
    at_once: Concurrency | None
    marks: Sequence[Mark]


def detail_for(count: int) -> Detail:
    """Return how much can be shown of that many executions."""
    if count <= ROWS_UP_TO:
        return "rows"
    return "dots" if count <= DOTS_UP_TO else "density"


def draw(material: Material) -> Drawing:
    """Lay out the tracks from top to bottom."""
    axis = material.axis
    bars_bottom = _BARS_TOP + _BARS_HEIGHT
    bars = stack(axis, material.edges, material.counts, bottom=bars_bottom, height=_BARS_HEIGHT)
    laid = rows(axis, material.items, top=_LOWER_TOP) if material.detail == "rows" else None
    height = laid.height if laid else _LAG_HEIGHT
    bottom = _LOWER_TOP + height
    scale = lag_scale(material.longest_lag_ms, bottom=bottom, height=height)
    strips = [] if laid else _lanes(material, bottom + 12)
    plot_bottom = bottom + (12 + PITCH * len(strips) if strips else 4)
    at_once = concurrency(
        axis,
        material.edges,
        material.most_at_once,
        top=plot_bottom + _CAPTION_HEIGHT,
        capacity=material.capacity,
    )
    if at_once:
        plot_bottom = float(at_once.bottom) + 4
    return Drawing(
        detail=material.detail,
        lo=str(axis.lo_ms),
        hi=str(axis.hi_ms),
        height=number(plot_bottom + _AXIS_HEIGHT),
        plot_top=number(_PLOT_TOP),
        plot_bottom=number(plot_bottom),
        plot_height=number(plot_bottom - _PLOT_TOP),
        label_y=number(plot_bottom + 16),
        is_crowded=len(material.dots) > _CROWDED,
        ticks=ticks(axis, material.zone),
        now=_where(axis, material.now_ms),
        now_is_right=axis.share(material.now_ms or 0) > _FLIPS_FROM,
        end=_where(axis, material.end_ms, only_inside=True),
        outside=_band(axis, material.end_ms, axis.hi_ms),
        pauses=[band for pause in material.paused_ms if (band := _band(axis, *pause))],
        bars=bars,
        bars_bottom=number(bars_bottom),
        links=[_link(axis, material.edges, zoom) for zoom in material.zooms],
        bars_height=number(bars_bottom - _PLOT_TOP),
        lower_caption_y=number(_LOWER_TOP - 14),
        lower_bottom=number(bottom),
        lag_levels=[] if laid else scale.levels,
        rows=laid,
        dots=dots(axis, scale, material.dots),
        heat=heat(axis, material.edges, scale, material.cells),
        lines=_quantile_lines(material, scale),
        lanes=strips,
        at_once=at_once,
        marks=[
            Mark(x=axis.percent(offset), words=words)
            for offset, words in material.marks
            if axis.covers(offset)
        ],
    )


def _lanes(material: Material, top: float) -> list[Lane]:
    if material.detail == "density":
        shown = {name: material.counts[name] for name in _NOT_IN_DENSITY if name in material.counts}
    else:
        shown = {name: material.idle[name] for name in _NEVER_STARTED if name in material.idle}
    return lanes(material.axis, material.edges, shown, labels=material.labels, top=top)


def _quantile_lines(material: Material, scale: LagScale) -> list[Line]:
    names = [name for name, _ in QUANTILES]
    named = list(zip(names, material.quantiles, strict=False))
    return lines(material.axis, material.edges, scale, named)


def _where(axis: Axis, offset_ms: int | None, *, only_inside: bool = False) -> str:
    if offset_ms is None or not axis.covers(offset_ms):
        return ""
    if only_inside and offset_ms in (axis.lo_ms, axis.hi_ms):
        return ""
    return axis.percent(offset_ms)


def _band(axis: Axis, begin_ms: int | None, end_ms: int) -> Band | None:
    if begin_ms is None:
        return None
    begin, end = axis.share(begin_ms), axis.share(end_ms)
    if end <= begin:
        return None
    return Band(x=f"{number(begin * 100, 3)}%", width=f"{number((end - begin) * 100, 3)}%")


def _link(axis: Axis, edges: Sequence[tuple[int, int]], zoom: Zoom) -> Link:
    hits = []
    for place, title in zoom.slices:
        band = _band(axis, *edges[place])
        if band is not None:
            hits.append(Hit(x=band.x, width=band.width, title=title))
    return Link(url=zoom.url, title=zoom.title, hits=hits)
