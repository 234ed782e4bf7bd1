"""How many ran at once."""

from __future__ import annotations

from datetime import UTC, datetime

from django_agenda.admin.timeline.axis import Axis
from django_agenda.admin.timeline.concurrency import concurrency, most_at_once

AXIS = Axis(start=datetime(2026, 11, 21, tzinfo=UTC), lo_ms=0, hi_ms=400)
EDGES = [(0, 100), (100, 200), (200, 300), (300, 400)]


def test_what_overlaps_in_a_slice_is_counted() -> None:
    assert most_at_once([(10, 60), (50, 120), (55, 57)], EDGES) == [3, 1, 0, 0]


def test_what_ends_as_another_starts_does_not_overlap_it() -> None:
    assert most_at_once([(0, 50), (50, 100), (100, 150)], EDGES) == [1, 1, 0, 0]


def test_what_runs_on_is_counted_in_every_slice_until_its_end() -> None:
    assert most_at_once([(-500, 250), (150, 9000)], EDGES) == [1, 2, 2, 1]


def test_what_takes_no_time_is_counted_once() -> None:
    assert most_at_once([(150, 150), (150, 150)], EDGES) == [0, 2, 0, 0]


def test_the_capacity_is_part_of_the_scale() -> None:
    track = concurrency(AXIS, EDGES, [2, 4, 0, 0], top=100, capacity=8)

    assert track is not None
    assert (track.bottom, track.capacity_y) == ("144", "100")
    assert [(level.y, level.label) for level in track.levels] == [("122", "4")]


def test_a_capacity_far_above_is_not_drawn() -> None:
    track = concurrency(AXIS, EDGES, [2, 4, 0, 0], top=100, capacity=17)

    assert track is not None
    assert (track.capacity, track.capacity_y, track.levels[0].y) == (17, "", "100")


def test_nothing_that_ran_is_no_track() -> None:
    assert concurrency(AXIS, EDGES, [0, 0, 0, 0], top=100, capacity=8) is None
