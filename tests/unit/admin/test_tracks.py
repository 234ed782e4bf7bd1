"""The tracks of the timeline: bars, dots, density, lanes, rows."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from django_agenda.admin.timeline.axis import Axis
from django_agenda.admin.timeline.bars import stack
from django_agenda.admin.timeline.density import heat, lines
from django_agenda.admin.timeline.dots import dots
from django_agenda.admin.timeline.drawing import Detail, Material, Zoom, detail_for, draw
from django_agenda.admin.timeline.lag_scale import lag_scale
from django_agenda.admin.timeline.lanes import lanes
from django_agenda.admin.timeline.rows import Item, Try, rows

AXIS = Axis(start=datetime(2026, 11, 21, tzinfo=UTC), lo_ms=0, hi_ms=1000)
EDGES = [(0, 250), (250, 500), (500, 750), (750, 1000)]


def heights(path: str) -> list[float]:
    return [float(found) for found in re.findall(r"v([\d.]+)h-", path)]


def test_bars_are_as_high_as_their_share_of_the_fullest_slice() -> None:
    bars = stack(AXIS, EDGES, {"succeeded": [10, 5, 0, 1]}, bottom=100, height=80)

    assert heights(bars.layers[0].path) == [80, 40, 8]
    assert [level.label for level in bars.levels] == ["10", "5"]


def test_one_failure_among_thousands_can_be_seen() -> None:
    counts = {"succeeded": [9999, 0, 0, 0], "failed": [1, 0, 0, 0]}

    good, bad = stack(AXIS, EDGES, counts, bottom=100, height=80).layers

    assert (good.slug, bad.slug) == ("succeeded", "failed")
    assert heights(bad.path) == [1.5]
    assert heights(good.path)[0] == pytest.approx(78.5, abs=0.01)


def test_no_executions_are_no_bars() -> None:
    bars = stack(AXIS, EDGES, {}, bottom=100, height=80)

    assert not bars.layers
    assert not bars.levels


def test_lateness_grows_upwards_and_early_is_not_late() -> None:
    scale = lag_scale(10_000, bottom=200, height=150)

    assert scale.y(-50) == scale.y(0) == 200
    assert 200 > scale.y(10) > scale.y(100) > scale.y(10_000) > 50
    assert scale.y(10**9) == 50


def test_levels_of_lateness_do_not_lie_on_each_other() -> None:
    for longest in (None, 5, 900, 45_000, 10**7, 10**9):
        ys = [float(level.y) for level in lag_scale(longest, bottom=200, height=150).levels]
        assert all(below - above >= 18 for below, above in itertools.pairwise(ys))
        assert len(ys) >= 2


def test_failed_dots_lie_on_top() -> None:
    scale = lag_scale(100, bottom=100, height=80)

    layers = dots(AXIS, scale, [(0, "failed", 5), (500, "succeeded", 5), (900, "succeeded", 7)])

    assert [layer.slug for layer in layers] == ["succeeded", "failed"]
    assert layers[0].path.count("h0") == 2


def test_a_thousand_dots_are_few_elements() -> None:
    scale = lag_scale(100, bottom=100, height=80)
    started = [(at, "succeeded", at % 90) for at in range(1000)]

    assert len(dots(AXIS, scale, started)) == 1


def test_the_fullest_cell_of_the_density_is_the_darkest() -> None:
    scale = lag_scale(100, bottom=100, height=80)

    layers = heat(AXIS, EDGES, scale, [(0, 5, 1000), (1, 5, 3)])

    assert [layer.slug for layer in layers] == ["1", "5"]


def test_a_quantile_has_a_gap_where_nothing_started() -> None:
    scale = lag_scale(100, bottom=100, height=80)

    (line,) = lines(AXIS, EDGES, scale, [("p50", [5.0, 6.0, None, 7.0])])

    assert line.path.count("M") == 2
    assert line.label_x == "100%"


def test_names_of_quantiles_do_not_overlap() -> None:
    scale = lag_scale(100, bottom=100, height=80)
    level = [20.0] * 4

    found = lines(AXIS, EDGES, scale, [("p50", level), ("p95", level), ("p99", level)])

    ys = [float(line.label_y) for line in found]
    assert ys[0] - ys[1] >= 12
    assert ys[1] - ys[2] >= 12


def test_each_status_that_never_started_has_its_lane() -> None:
    counts = {"pending": [0, 0, 3, 9], "missed": [1, 0, 0, 0], "cancelled": [0, 0, 0, 0]}

    found = lanes(AXIS, EDGES, counts, labels={"pending": "not enqueued"}, top=0)

    assert [(lane.slug, lane.count) for lane in found] == [("pending", 12), ("missed", 1)]
    assert found[0].label == "not enqueued"
    assert max(heights(found[0].path)) == 14


def item(**values: object) -> Item:
    plain = {"slug": "succeeded", "title": "", "label": "#1", "url": "", "planned_ms": 100}
    return Item(**{**plain, **values})  # type: ignore[arg-type]


def test_a_row_shows_the_plan_the_wait_and_the_run() -> None:
    (row,) = rows(AXIS, [item(started_ms=200, ended_ms=700)], top=10).rows

    assert (row.plan, row.wait_to, row.bar_x, row.bar_width) == ("10%", "20%", "20%", "50%")
    assert not row.mark


def test_a_failed_run_ends_with_a_mark() -> None:
    (row,) = rows(AXIS, [item(slug="failed", started_ms=200, ended_ms=700)], top=10).rows

    assert row.mark == "70%"


def test_what_never_ran_has_its_mark_at_the_plan() -> None:
    missed, waiting = rows(AXIS, [item(slug="missed"), item(slug="scheduled")], top=10).rows

    assert missed.mark == "10%"
    assert not missed.bar_x
    assert not waiting.mark


def test_a_run_over_the_edge_is_cut_off() -> None:
    (row,) = rows(AXIS, [item(started_ms=900, ended_ms=5000)], top=10).rows

    assert (row.bar_x, row.bar_width) == ("90%", "10%")


def test_earlier_attempts_are_bars_of_their_own_with_marks_where_there_is_room() -> None:
    tries = [
        Try(title="first", started_ms=200, ended_ms=300),
        Try(title="second", started_ms=310, ended_ms=310),
        Try(title="third", started_ms=400, ended_ms=500),
    ]

    laid = rows(AXIS, [item(started_ms=700, ended_ms=800, tries=tries)], top=10)

    (row,) = laid.rows
    assert laid.has_tries
    assert [(one.title, one.x, one.width) for one in row.tries] == [
        ("first", "20%", "10%"),
        ("second", "31%", "0.15%"),
        ("third", "40%", "10%"),
    ]
    assert [one.mark for one in row.tries] == ["", "31%", "50%"]
    assert float(row.try_y) > float(row.bar_y)
    assert (row.bar_x, row.bar_width, row.wait_to) == ("70%", "10%", "70%")


def test_attempts_outside_of_the_view_are_not_drawn_at_its_edge() -> None:
    tries = [
        Try(title="before", started_ms=-300, ended_ms=-200),
        Try(title="across", started_ms=-100, ended_ms=100),
        Try(title="after", started_ms=1100, ended_ms=1200),
    ]

    laid = rows(AXIS, [item(tries=tries), item()], top=10)

    assert [one.title for one in laid.rows[0].tries] == ["across"]
    assert (laid.rows[0].tries[0].x, laid.rows[0].tries[0].width) == ("0%", "10%")
    assert not laid.rows[1].tries


def test_what_is_tried_again_waits_until_then_and_not_until_its_last_try() -> None:
    waits = item(slug="retrying", started_ms=200, ended_ms=300, waits_until_ms=600)

    (row,) = rows(AXIS, [waits], top=10).rows

    assert (row.wait_to, row.bar_x, row.mark) == ("60%", "20%", "30%")


def test_many_rows_are_flatter_than_few() -> None:
    few, many = (rows(AXIS, [item()] * count, top=0) for count in (10, 200))

    assert few.height == 180
    assert many.height == 800
    assert few.rows[0].has_label
    assert not many.rows[0].has_label


@pytest.mark.parametrize(
    ("count", "detail"),
    [(0, "rows"), (200, "rows"), (201, "dots"), (5000, "dots"), (5001, "density")],
)
def test_the_count_in_view_chooses_the_level_of_detail(count: int, detail: str) -> None:
    assert detail_for(count) == detail


def material(detail: Detail, **values: object) -> Material:
    plain: dict[str, object] = {
        "axis": AXIS,
        "zone": ZoneInfo("UTC"),
        "edges": EDGES,
        "counts": {"succeeded": [1, 2, 3, 4], "failed": [0, 1, 0, 0]},
        "labels": {},
    }
    return Material(detail=detail, **{**plain, **values})  # type: ignore[arg-type]


def test_now_is_drawn_only_when_it_is_in_view() -> None:
    assert draw(material("dots", now_ms=620)).now == "62%"
    assert draw(material("dots", now_ms=1001)).now == ""


def test_the_density_keeps_a_strip_of_failures() -> None:
    drawing = draw(material("density", cells=[(0, 5, 3)], quantiles=[[5.0] * 4] * 3))

    assert [lane.slug for lane in drawing.lanes] == ["failed"]
    assert len(drawing.lines) == 3


def test_time_after_the_window_is_marked() -> None:
    drawing = draw(material("rows", end_ms=800, items=[item()]))

    assert drawing.end == "80%"
    assert drawing.outside is not None
    assert drawing.outside.width == "20%"


def test_a_zoom_link_carries_its_slices() -> None:
    zoom = Zoom(url="?from=0&to=500", title="half", slices=[(0, "one"), (1, "two")])

    (link,) = draw(material("dots", zooms=[zoom])).links

    assert [(hit.x, hit.width) for hit in link.hits] == [("0%", "25%"), ("25%", "25%")]
