"""Ask the database for what the timeline of a batch draws, at the level of detail that fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from django_agenda.admin import states, wording
from django_agenda.admin.lateness import Sketch, Started, Times, times_from, times_of
from django_agenda.admin.span import MILLISECOND, SHORTEST_MS, Span
from django_agenda.admin.timeline.axis import Axis
from django_agenda.admin.timeline.concurrency import most_at_once
from django_agenda.admin.timeline.density import QUANTILES
from django_agenda.admin.timeline.drawing import (
    ROWS_UP_TO,
    Detail,
    Drawing,
    Material,
    Zoom,
    detail_for,
    draw,
)
from django_agenda.models.execution import Execution
from django_agenda.scheduling.count import Lags, count_lags, count_outcomes, count_runs
from django_agenda.scheduling.grid import FEW, Grid
from django_agenda.scheduling.rollup import Rollup, rollup_of

from .items import items_of, read_rows
from .pruned import pruned_lags, with_pruned, with_pruned_times
from .slices import Histogram, coarser, tabulate
from .subject import Subject

_SLICES_A_LINK = 10
_DOT = ("planned_offset_ms", "slot_offset_ms", "status", "started_at", "lag_ms", "run_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Hold a drawing and the numbers that came with it."""

    drawing: Drawing
    detail: Detail
    histogram: Histogram
    times: Times
    slice_length: str
    peak: int | None = None

    @property
    def count(self) -> int:
        """Return how many executions are in view."""
        return self.histogram.total


def build(subject: Subject) -> Timeline:
    """Run at most four statements, however many executions there are; see Subject.recall()."""
    if subject.batch.rollup:
        fine = _histogram(subject)
        return _of_pruned(subject, fine, rollup_of(subject.batch))
    # Of so few the rows are drawn, and need not be counted by the database as well.
    found = read_rows(subject) if subject.batch.total <= ROWS_UP_TO else None
    shown, detail, late = subject.recall("timeline", lambda: _count(subject, found))
    material = _frame(subject, shown, detail)
    if late is not None:
        material = _with_cells(material, shown.grid, *late)
        return _timeline(material, shown, late.times)
    if detail == "rows":
        found = read_rows(subject) if found is None else found
        material, times = _with_items(subject, material, found)
    else:
        material, times = _with_dots(subject, material, shown.grid)
    return _timeline(material, shown, times)


class _Late(NamedTuple):
    lags: Lags
    times: Times


def _histogram(subject: Subject, found: Sequence[Execution] | None = None) -> Histogram:
    grid = subject.grid
    if found is None:
        return tabulate(grid, count_outcomes(subject.rows, grid))
    places = ((row.status, row.planned_offset_ms - grid.origin_ms) for row in found)
    return tabulate(grid, Counter((status, grid.place(offset)) for status, offset in places))


def _count(
    subject: Subject, found: Sequence[Execution] | None
) -> tuple[Histogram, Detail, _Late | None]:
    grid, counted = subject.grid, subject.counted
    if counted is not None and counted.grid != grid:
        counted = None  # of a part of the window, say
    fine = tabulate(grid, counted.outcomes) if counted else _histogram(subject, found)
    detail = detail_for(fine.total)
    if detail != "density":
        return coarser(fine) if detail == "rows" and grid.size > FEW else fine, detail, None
    if counted:
        return fine, detail, _Late(counted.lags, times_from(counted.lags, counted.runs))
    lags = count_lags(subject.rows, grid)
    runs = count_runs(subject.rows, grid, subject.batch.start)
    return fine, detail, _Late(lags, times_from(lags, runs))


def _of_pruned(subject: Subject, fine: Histogram, rollup: Rollup) -> Timeline:
    """Draw what was pruned as a density; the numbers are those of the whole batch."""
    shown = coarser(with_pruned(fine, rollup))
    left = count_lags(subject.rows, shown.grid)
    times = times_from(left, count_runs(subject.rows, shown.grid, subject.batch.start))
    times = with_pruned_times(times, rollup)
    lags = left + pruned_lags(rollup, shown.grid)
    material = _with_cells(_frame(subject, shown, "density"), shown.grid, lags, times)
    return _timeline(material, shown, times)


def _timeline(material: Material, shown: Histogram, times: Times) -> Timeline:
    return Timeline(
        drawing=draw(material),
        detail=material.detail,
        histogram=shown,
        times=times,
        slice_length=wording.duration(shown.grid.width_ms),
        peak=max(material.most_at_once, default=None),
    )


def _frame(subject: Subject, shown: Histogram, detail: Detail) -> Material:
    batch, grid = subject.batch, shown.grid
    return Material(
        axis=Axis(start=batch.start, lo_ms=subject.span.lo_ms, hi_ms=subject.span.hi_ms),
        zone=timezone.get_current_timezone(),
        detail=detail,
        edges=[grid.bounds(place) for place in range(grid.size)],
        counts=shown.counts,
        labels={slug: str(state.label) for slug, state in states.OUTCOMES.items()},
        zooms=_zooms(subject, shown),
        now_ms=subject.now_ms,
        end_ms=-(-((subject.end or batch.end) - batch.start) // MILLISECOND),
        paused_ms=subject.pauses,
        capacity=subject.capacity,
        marks=_marks(subject),
    )


def _marks(subject: Subject) -> list[tuple[int, str]]:
    """Return when people did something to the batch, and what."""
    start = subject.batch.start
    return [
        ((deed.at - start) // MILLISECOND, f"{deed.user}: {deed.words}") for deed in subject.deeds
    ]


def _zooms(subject: Subject, shown: Histogram) -> list[Zoom]:
    grid = shown.grid
    together = _SLICES_A_LINK if grid.size > 2 * _SLICES_A_LINK else 2
    zooms = []
    for first in range(0, grid.size, together):
        places = range(first, min(first + together, grid.size))
        span = Span(grid.bounds(places[0])[0], grid.bounds(places[-1])[1], whole=False)
        can_zoom = span.length_ms >= SHORTEST_MS and span.length_ms < subject.span.length_ms
        words = [(place, _describe(subject, shown, [place])) for place in places]
        zooms.append(
            Zoom(
                url=subject.zoom_url(span) if can_zoom else "",
                title=_("Zoom to %(what)s") % {"what": _describe(subject, shown, places)},
                slices=words,
            )
        )
    return zooms


def _describe(subject: Subject, shown: Histogram, places: Sequence[int]) -> str:
    begin, end = shown.grid.bounds(places[0])[0], shown.grid.bounds(places[-1])[1]
    counted = [
        f"{wording.count(many)} {states.OUTCOMES[status].label}"
        for status, line in shown.counts.items()
        if (many := sum(line[place] for place in places))
    ]
    clock = [
        wording.clock_time(
            subject.batch.start + offset * MILLISECOND,
            subject.now,
            exact=shown.grid.width_ms < 1000,
        )
        for offset in (begin, end)
    ]
    return f"{clock[0]} – {clock[1]}: {', '.join(counted) or _('nothing planned')}"


def _with_items(
    subject: Subject, material: Material, found: Sequence[Execution]
) -> tuple[Material, Times]:
    items = items_of(subject, found)
    axis = material.axis
    if subject.span.whole:
        last = max((item.last_ms for item in items), default=0)
        axis = replace(axis, hi_ms=max(axis.hi_ms, last))
    started = [
        Started(item.started_ms, row.lag_ms, row.run_ms)
        for item, row in zip(items, found, strict=True)
        if item.started_ms is not None and row.lag_ms is not None
    ]
    times = times_of(started, [row.planned_offset_ms - row.slot_offset_ms for row in found])
    spells = [
        (item.started_ms, item.ended_ms)
        for item in items
        if item.started_ms is not None and item.ended_ms is not None
    ]
    spells += [(one.started_ms, one.ended_ms) for item in items for one in item.tries]
    most = most_at_once(spells, material.edges)
    return replace(material, axis=axis, items=items, most_at_once=most), times


def _with_dots(subject: Subject, material: Material, grid: Grid) -> tuple[Material, Times]:
    found = list(subject.in_span.values_list(*_DOT))
    idle: dict[str, list[int]] = {}
    marks: list[tuple[int, str, int]] = []
    # What is planned all at once is drawn where it started: else all of it lies on one line.
    is_at_once = subject.batch.over < subject.span.length_ms * MILLISECOND / grid.size
    started: list[Started] = []
    spells: list[tuple[int, int]] = []
    for planned, _slot, status, at, lag, run in found:
        if lag is None or at is None:
            line = idle.setdefault(status, [0] * grid.size)
            line[grid.place(planned - grid.origin_ms)] += 1
            continue
        begin = (at - subject.batch.start) // MILLISECOND
        marks.append((begin if is_at_once else planned, status, lag))
        started.append(Started(begin, lag, run))
        if run is not None or status == Execution.Status.RUNNING:
            spells.append((begin, subject.now_ms if run is None else begin + run))
    times = times_of(started, [planned - slot for planned, slot, *_rest in found])
    drawn = replace(
        material,
        dots=marks,
        idle=idle,
        longest_lag_ms=times.longest_lag_ms,
        most_at_once=most_at_once(spells, material.edges),
    )
    return drawn, times


def _with_cells(material: Material, grid: Grid, lags: Lags, times: Times) -> Material:
    cells = [(place, step, many) for (place, step), many in lags.items()]
    columns: dict[int, list[tuple[int, int]]] = {}
    for place, step, many in cells:
        columns.setdefault(place, []).append((step, many))
    longest = times.longest_lag_ms
    sketches = {place: Sketch(sorted(steps), longest=longest) for place, steps in columns.items()}
    quantiles = [
        [
            sketches[place].quantile(share) if place in sketches else None
            for place in range(grid.size)
        ]
        for _name, share in QUANTILES
    ]
    return replace(material, cells=cells, quantiles=quantiles, longest_lag_ms=longest)
