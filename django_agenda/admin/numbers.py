"""The numbers of a span: planned and real rate, lateness, run time."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from . import wording
from .lateness import Sketch, Times
from .span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Hold one number with its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Hold the numbers that belong together."""

    title: str
    hint: str
    figures: list[Figure]


def tiles(span: Span, planned: int, times: Times, peak: int | None) -> list[Tile]:
    """Return three groups of numbers; a dash where nothing has happened yet.

    `peak` is how many ran at once, where that is known.
    """
    return [
        Tile(
            title=_("Rate"),
            hint=_("executions, as planned and as ended"),
            figures=[
                Figure(name=_("planned"), value=wording.rate(planned, span.length_ms)),
                Figure(name=_("actual"), value=_actual(times)),
                *_shift(times),
            ],
        ),
        Tile(
            title=_("Lateness"),
            hint=_("from the due moment to the start"),
            figures=[
                *_quantiles(times.lag, (50, 95, 99)),
                Figure(name=_("max"), value=_duration(times.longest_lag_ms)),
            ],
        ),
        Tile(
            title=_("Run time"),
            hint=_("from the start to the end"),
            figures=[
                *_quantiles(times.run, (50, 95)),
                *([Figure(name=_("at once"), value=wording.count(peak))] if peak else []),
            ],
        ),
    ]


def _shift(times: Times) -> list[Figure]:
    """Return how far the plan lies off even slots: jitter, and what was moved since."""
    if times.shift_ms is None or times.shift_ms == (0, 0):
        return []
    low, high = (wording.duration(shift) for shift in times.shift_ms)
    return [Figure(name=_("off its slots"), value=f"{low} … {high}")]


def _actual(times: Times) -> str:
    if times.first_start_ms is None or times.last_end_ms is None or times.run.size < 2:
        return "–"
    return wording.rate(times.run.size, max(times.last_end_ms - times.first_start_ms, 1))


def _quantiles(sketch: Sketch, shares: tuple[int, ...]) -> list[Figure]:
    return [
        Figure(name=within(share), value=_duration(sketch.quantile(share / 100)))
        for share in shares
    ]


def within(share: int) -> str:
    """Return what a quantile is called: "95 % within" so and so long."""
    return _("%(share)s within") % {"share": f"{share} %"}


def _duration(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else wording.duration(milliseconds)
