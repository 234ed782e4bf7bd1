"""A plan as it is shown before it is written: its histogram, and its first and last moments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import wording
from django_agenda.admin.numbers import Figure
from django_agenda.admin.span import MILLISECOND
from django_agenda.admin.states import OUTCOMES
from django_agenda.admin.timeline.axis import Axis
from django_agenda.admin.timeline.strip import Strip, draw_strip

from .plan import Plan

_SLICES = 60
_ENDS = 10
_SHORT_MS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Hold what the template writes down; `last` is what `first` does not show already."""

    strip: Strip
    has_now: bool
    slice_length: str
    zone: str
    figures: list[Figure]
    first: list[SafeString | str]
    last: list[SafeString | str]
    left_out: int
    doubts: list[str]
    is_stale: bool
    token: str
    many: int


def draw(plan: Plan, moment: datetime) -> tuple[Strip, bool, int]:
    """Return the drawing, whether now lies in it, and how long a slice is in milliseconds."""
    window, over_ms = plan.window, max(plan.window.over // MILLISECOND, 1)
    width = -(-over_ms // _SLICES)
    size = -(-over_ms // width)
    line = [0] * size
    for planned in plan.moments:
        line[min((planned - window.start) // MILLISECOND // width, size - 1)] += 1
    edges = [(place * width, min((place + 1) * width, over_ms)) for place in range(size)]
    axis = Axis(start=window.start, lo_ms=0, hi_ms=over_ms)
    titles = [_title(axis, edge, many, moment) for edge, many in zip(edges, line, strict=True)]
    now_ms = axis.offset(moment)
    zone = timezone.get_current_timezone()
    strip = draw_strip(axis, zone, edges, {"scheduled": line}, titles=titles, now_ms=now_ms)
    return strip, 0 < now_ms < over_ms, width


def figures(plan: Plan, busiest: int) -> list[Figure]:
    """Return its numbers."""
    over_ms, many = max(plan.window.over // MILLISECOND, 1), len(plan.moments)
    found = [
        (_("calls"), wording.count(many)),
        (_("window"), wording.duration(over_ms)),
        (_("rate"), wording.rate(many, over_ms)),
        (_("fullest minute"), wording.count(plan.fullest_minute)),
        (_("busiest minute of 3 h"), wording.count(busiest) if busiest else "–"),
        (_("seed"), str(plan.seed)),
    ]
    return [Figure(name=name, value=value) for name, value in found]


def ends(
    plan: Plan, moment: datetime
) -> tuple[list[SafeString | str], list[SafeString | str], int]:
    """Return the first ten moments, the last ten of the others, and how many lie between."""
    ordered = sorted(plan.moments)
    exact = plan.window.over // MILLISECOND < _SHORT_MS
    first, rest = ordered[:_ENDS], ordered[_ENDS:]
    last = rest[-_ENDS:]
    shown = [
        [wording.time_tag(planned, moment, exact=exact) for planned in part]
        for part in (first, last)
    ]
    return shown[0], shown[1], len(rest) - len(last)


def _title(axis: Axis, edge: tuple[int, int], many: int, moment: datetime) -> str:
    if not many:
        return ""
    clock = [wording.clock_time(axis.moment(offset), moment) for offset in edge]
    return f"{clock[0]} – {clock[1]}: {wording.count(many)} {OUTCOMES['scheduled'].label}"
