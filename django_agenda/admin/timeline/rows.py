"""The lower track for up to some hundreds: one line an execution, plan against what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .axis import Axis, number

_TALLEST_PITCH = 18.0
_LEAST_PITCH = 4.0
_ROOM = 620.0
_LABELS_FROM_PITCH = 11.0
_SHORTEST_BAR = 0.15
_OUTLINE = 1.0
# A mark needs so much room until the next bar, in per cent: nearer than that they would be a blot.
_ROOM_OF_MARK = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Hold an attempt that another one followed."""

    title: str
    started_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Hold what is drawn of one execution; offsets are milliseconds from the batch's start."""

    slug: str
    title: str
    label: str
    url: str
    planned_ms: int
    started_ms: int | None = None
    ended_ms: int | None = None
    waits_until_ms: int | None = None
    tries: Sequence[Try] = ()

    @property
    def last_ms(self) -> int:
        """Return when the last that it did was over; 0 when it did nothing."""
        return max((self.ended_ms or 0, *(one.ended_ms for one in self.tries)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TryBar:
    """Hold the bar of an earlier attempt, and where its mark is, if there is room for one."""

    title: str
    x: str
    width: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one line: a tick at the plan, a wait, a bar, and a mark; absent parts are empty."""

    item: Item
    top: str
    middle: str
    tick_top: str
    tick_bottom: str
    plan: str
    wait_to: str
    bar_x: str
    bar_width: str
    bar_y: str
    mark: str
    mark_dx: str
    has_label: bool
    try_y: str
    tries: Sequence[TryBar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Hold all lines and the height that they need."""

    rows: Sequence[Row]
    height: float
    pitch: str
    bar_height: str
    mark_size: str
    mark_half: str
    try_height: str
    has_tries: bool


def rows(axis: Axis, items: Sequence[Item], *, top: float) -> Rows:
    """Lay out one line an item, in the order given, as high as there is room for."""
    pitch = min(_TALLEST_PITCH, max(_LEAST_PITCH, _ROOM / max(len(items), 1)))
    bar = max(2.0, min(pitch * 0.56, 9.0))
    mark = max(7.0, min(pitch * 0.9, 12.0))
    laid = [
        _row(axis, item, top + pitch * (place + 0.5), pitch, bar, mark)
        for place, item in enumerate(items)
    ]
    return Rows(
        rows=laid,
        height=pitch * len(items),
        pitch=number(pitch, 2),
        bar_height=number(bar),
        mark_size=number(mark),
        mark_half=number(mark / 2),
        try_height=number(bar - _OUTLINE),
        has_tries=any(row.tries for row in laid),
    )


def _row(axis: Axis, item: Item, middle: float, pitch: float, bar: float, mark_size: float) -> Row:
    wait_end = item.waits_until_ms if item.waits_until_ms is not None else item.started_ms
    bar_x = bar_width = mark = ""
    if item.started_ms is not None:
        begin = axis.share(item.started_ms)
        end = axis.share(item.ended_ms if item.ended_ms is not None else item.started_ms)
        bar_x = f"{number(begin * 100, 3)}%"
        bar_width = f"{number(max((end - begin) * 100, _SHORTEST_BAR), 3)}%"
        if item.slug in ("failed", "retrying"):
            mark = f"{number(end * 100, 3)}%"
    elif item.slug not in ("scheduled", "due", "running"):
        mark = axis.percent(item.planned_ms)
    half_tick = max(pitch * 0.36, 1.6)
    return Row(
        item=item,
        top=number(middle - pitch / 2, 2),
        middle=number(middle),
        tick_top=number(middle - half_tick),
        tick_bottom=number(middle + half_tick),
        plan=axis.percent(item.planned_ms),
        wait_to="" if wait_end is None else axis.percent(wait_end),
        bar_x=bar_x,
        bar_width=bar_width,
        bar_y=number(middle - bar / 2),
        mark=mark,
        mark_dx=number(1.5 if bar_x else -mark_size / 2),
        has_label=pitch >= _LABELS_FROM_PITCH,
        try_y=number(middle - (bar - _OUTLINE) / 2),
        tries=_tries(axis, item),
    )


def _tries(axis: Axis, item: Item) -> list[TryBar]:
    bars = []
    nexts = [one.started_ms for one in item.tries[1:]] + [item.started_ms]
    for one, then_ms in zip(item.tries, nexts, strict=False):
        if one.ended_ms < axis.lo_ms or one.started_ms > axis.hi_ms:
            continue
        begin, end = axis.share(one.started_ms) * 100, axis.share(one.ended_ms) * 100
        until = 100.0 if then_ms is None else axis.share(then_ms) * 100
        bars.append(
            TryBar(
                title=one.title,
                x=f"{number(begin, 3)}%",
                width=f"{number(max(end - begin, _SHORTEST_BAR), 3)}%",
                mark=f"{number(end, 3)}%" if until - end >= _ROOM_OF_MARK else "",
            )
        )
    return bars
