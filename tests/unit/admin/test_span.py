"""Which part of a window is in view, and how it is cut."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from django_agenda.admin.batches.slices import coarser, tabulate
from django_agenda.admin.span import Span, moved, read_span, whole_span
from django_agenda.admin.timeline.drawing import DOTS_UP_TO
from django_agenda.models import Batch
from django_agenda.scheduling.grid import Grid

WHOLE = Span(0, 3_600_000)


def test_without_a_query_the_whole_is_in_view() -> None:
    assert read_span({}, WHOLE) is WHOLE


def test_a_query_names_a_part() -> None:
    assert read_span({"from": "1000", "to": "9000"}, WHOLE) == Span(1000, 9000, whole=False)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "x", "to": "'; DROP TABLE"},
        {"from": "0", "to": "3600000"},
        {"from": "-99", "to": "99999999"},
        {"from": "9" * 400},
        {"from": "1e3"},
        {"from": "²"},
        {"to": ""},
    ],
)
def test_nonsense_shows_the_whole(query: dict[str, str]) -> None:
    assert read_span(query, WHOLE) == WHOLE


@pytest.mark.parametrize(
    "query", [{"from": "5000", "to": "5000"}, {"from": "9000", "to": "10"}, {"from": "3600000"}]
)
def test_a_part_is_never_empty(query: dict[str, str]) -> None:
    span = read_span(query, WHOLE)

    assert span.hi_ms - span.lo_ms >= 100
    assert 0 <= span.lo_ms < span.hi_ms <= WHOLE.hi_ms


def test_moving_stays_inside_the_window() -> None:
    span = Span(0, 1_000_000, whole=False)

    assert moved(span, WHOLE, by=-0.5) is None
    assert moved(span, WHOLE, by=0.5) == Span(500_000, 1_500_000, whole=False)
    assert moved(span, WHOLE, scale=100) == WHOLE
    assert moved(span, WHOLE, scale=0.5) == Span(250_000, 750_000, whole=False)


@pytest.mark.parametrize("now_ms", [1, 77_777, 1_800_000, 3_599_999])
@pytest.mark.parametrize("length", [3_600_000, 86_399_999, 161])
def test_no_slice_lies_on_both_sides_of_now(now_ms: int, length: int) -> None:
    grid = Grid.over(0, length, now_ms)

    bounds = [grid.bounds(place) for place in range(grid.size)]

    assert bounds[0][0] == 0
    assert bounds[-1][1] == length
    assert all(one[1] == next_[0] for one, next_ in itertools.pairwise(bounds))
    assert not any(begin < now_ms < end for begin, end in bounds)
    assert grid.size <= 165


@pytest.mark.parametrize("count", [160, 200, 300, 450, 900, 3000])
@pytest.mark.parametrize("now_ms", [None, 77_777])
def test_an_even_plan_has_no_dips(count: int, now_ms: int | None) -> None:
    distance = 600
    grid = Grid.over(0, count * distance, now_ms, unit_ms=distance)
    planned = (distance // 2 + place * distance for place in range(count))

    found = Counter(grid.place(moment - grid.origin_ms) for moment in planned)

    whole = [n for n in range(grid.size) if grid.bounds(n)[1] - grid.bounds(n)[0] == grid.width_ms]
    assert len({found[place] for place in whole}) == 1


START = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("over_ms", "ended_s", "hi_ms"),
    [(1, 40, 40_000), (1, None, 38_000), (60_000, 90, 60_000), (1, 0, 1)],
)
def test_the_axis_of_a_window_that_is_none_is_the_time_in_which_it_ran(
    over_ms: int, ended_s: int | None, hi_ms: int
) -> None:
    ended = None if ended_s is None else START + timedelta(seconds=ended_s)
    over = timedelta(milliseconds=over_ms)
    status = Batch.Status.RUNNING if ended is None else Batch.Status.SUCCEEDED
    batch = Batch(start=START, over=over, finished_at=ended, status=status)

    assert whole_span(batch, 0, START + timedelta(seconds=37.251)).hi_ms == hi_ms


def test_joining_slices_keeps_the_edge_at_now() -> None:
    grid = Grid.over(0, 3_600_000, 1_234_567)
    joined = coarser(tabulate(grid, Counter({("failed", 0): 1, ("failed", 5): 2})))

    bounds = [joined.grid.bounds(place) for place in range(joined.grid.size)]

    assert not any(begin < 1_234_567 < end for begin, end in bounds)
    assert joined.counts["failed"][:2] == [1, 2]


def test_what_lies_on_the_last_edge_is_counted_in_the_last_slice() -> None:
    grid = Grid.over(0, 160_000)

    assert grid.place(160_000) == grid.size - 1


def test_what_is_counted_at_its_end_is_what_is_not_drawn_one_by_one() -> None:
    assert Batch.LARGE == DOTS_UP_TO
