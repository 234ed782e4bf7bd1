"""Time from left to right: where a moment lies, and which moments get a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.utils.dateformat import format as format_date

from django_agenda.admin.wording import short_date

WIDTH = 1000
_MILLISECOND = timedelta(milliseconds=1)
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_STEPS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(factor * _SECOND for factor in (1, 2, 5, 10, 15, 30)),
    *(factor * _MINUTE for factor in (1, 2, 5, 10, 15, 30)),
    *(factor * _HOUR for factor in (1, 2, 3, 6, 12)),
    *(factor * _DAY for factor in (1, 2, 7, 14, 28, 91, 182, 364)),
    *(factor * 364 * _DAY for factor in (5, 10, 50, 100, 1000)),
)
_A_MONDAY = date(1970, 1, 5)
_MOST_LABELS = 12
_MOST_LONG_LABELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Hold one label; the higher its rank, the narrower the page that still shows it."""

    x: str
    label: str
    rank: int
    is_date: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Map milliseconds from the start of a batch to the width of a drawing."""

    start: datetime
    lo_ms: int
    hi_ms: int

    def share(self, offset_ms: float) -> float:
        """Return how far from the left edge it lies, 0 to 1; what is outside goes to the edge."""
        share = (offset_ms - self.lo_ms) / max(self.hi_ms - self.lo_ms, 1)
        return min(max(share, 0.0), 1.0)

    def x(self, offset_ms: float) -> float:
        """Return it in the units of a path, 0 to WIDTH."""
        return self.share(offset_ms) * WIDTH

    def percent(self, offset_ms: float) -> str:
        """Return it as an attribute of a shape that is not in a path."""
        return f"{number(self.share(offset_ms) * 100, 3)}%"

    def covers(self, offset_ms: float) -> bool:
        """Tell whether it lies in the drawing."""
        return self.lo_ms <= offset_ms <= self.hi_ms

    def offset(self, moment: datetime) -> int:
        """Return a moment in milliseconds from the start."""
        return (moment - self.start) // _MILLISECOND

    def moment(self, offset_ms: float) -> datetime:
        """Return the moment at an offset."""
        return self.start + timedelta(milliseconds=offset_ms)


def number(value: float, digits: int = 1) -> str:
    """Return a number as SVG takes it, in every language, as short as can be."""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def block(left: float, top: float, width: float, height: float) -> str:
    """Return a rectangle as a part of a path."""
    across = number(width)
    return f"M{number(left)} {number(top, 2)}h{across}v{number(height, 2)}h-{across}z"


def ticks(axis: Axis, zone: tzinfo) -> list[Tick]:
    """Return labels at round moments of the clock on the wall, also across a change of it."""
    span = max(axis.hi_ms - axis.lo_ms, 1)
    step = next((step for step in _STEPS if span / step <= _most(step)), _STEPS[-1])
    found = []
    for place, instant in _round_moments(axis, step, zone):
        moment = instant.astimezone(zone)
        is_date = step >= _DAY or _is_midnight(moment)
        found.append(
            Tick(
                x=axis.percent((instant - axis.start) / _MILLISECOND),
                label=_label(moment, step, is_date=is_date),
                rank=2 if place % 4 == 0 else 1 if place % 2 == 0 else 0,
                is_date=is_date,
            )
        )
    return found


def _most(step: int) -> int:
    return _MOST_LABELS if step >= _MINUTE else _MOST_LONG_LABELS


def _round_moments(axis: Axis, step: int, zone: tzinfo) -> Iterator[tuple[int, datetime]]:
    first, last = (axis.moment(offset).astimezone(UTC) for offset in (axis.lo_ms, axis.hi_ms))
    walk = _by_instant if step <= _HOUR else _by_wall_clock
    try:
        for place, moment in walk(first.astimezone(zone), step, zone):
            if moment > last:
                return
            if moment >= first:
                yield place, moment
    except OverflowError:  # the end of the calendar
        return


def _by_instant(first: datetime, step: int, zone: tzinfo) -> Iterator[tuple[int, datetime]]:
    """Walk in equal steps of time: an hour that comes twice gets both its labels."""
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    place = (first.replace(tzinfo=UTC) - midnight) // _MILLISECOND // step
    offset = first.utcoffset() or timedelta()
    while True:
        yield place, midnight - offset + timedelta(milliseconds=place * step)
        place += 1


def _by_wall_clock(first: datetime, step: int, zone: tzinfo) -> Iterator[tuple[int, datetime]]:
    """Walk in equal steps of the clock; an hour that does not exist gets no label."""
    day = datetime.combine(first.date() if step < _DAY else _A_MONDAY, time.min)
    place = (first.replace(tzinfo=None) - day) // _MILLISECOND // step
    while True:
        naive = day + timedelta(milliseconds=place * step)
        moment = naive.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == naive:
            yield place, moment
        place += 1


def _is_midnight(moment: datetime) -> bool:
    return not (moment.hour or moment.minute or moment.second or moment.microsecond)


def _label(moment: datetime, step: int, *, is_date: bool) -> str:
    if is_date:
        return format_date(moment, "M Y" if step >= 91 * _DAY else short_date())
    if step >= _MINUTE:
        return format_date(moment, "H:i")
    if step >= _SECOND:
        return format_date(moment, "H:i:s")
    return format_date(moment, "H:i:s") + f".{moment.microsecond // 1000:03d}"
