"""Where a moment lies on the axis, and what the labels say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_agenda.admin.timeline.axis import Axis, number, ticks

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000


def axis_over(start: datetime, length: timedelta) -> Axis:
    return Axis(start=start, lo_ms=0, hi_ms=length // timedelta(milliseconds=1))


def labels(start: datetime, length: timedelta, zone: ZoneInfo = BERLIN) -> list[str]:
    return [tick.label for tick in ticks(axis_over(start, length), zone)]


def test_a_moment_in_the_middle_lies_in_the_middle() -> None:
    axis = axis_over(datetime(2026, 11, 21, tzinfo=UTC), timedelta(hours=1))

    assert axis.percent(HOUR / 2) == "50%"
    assert axis.x(HOUR / 4) == 250


def test_what_is_outside_goes_to_the_edge() -> None:
    axis = axis_over(datetime(2026, 11, 21, tzinfo=UTC), timedelta(hours=1))

    assert (axis.percent(-5), axis.percent(2 * HOUR)) == ("0%", "100%")


def test_labels_are_round_in_the_zone_of_the_reader() -> None:
    start = datetime(2026, 11, 21, 8, 10, tzinfo=UTC)

    assert labels(start, timedelta(hours=1)) == [
        *("09:10", "09:15", "09:20", "09:25", "09:30", "09:35", "09:40"),
        *("09:45", "09:50", "09:55", "10:00", "10:05", "10:10"),
    ]
    assert labels(start, timedelta(hours=1), ZoneInfo("Asia/Kolkata"))[:2] == ["13:40", "13:45"]


def test_midnight_is_labelled_with_the_date() -> None:
    start = datetime(2026, 11, 20, 22, tzinfo=UTC)

    assert "21 Nov" in labels(start, timedelta(hours=2))


def test_an_hour_that_comes_twice_gets_both_labels() -> None:
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 summer time

    assert labels(start, timedelta(hours=3))[::2] == [
        *("02:00", "02:30", "02:00", "02:30"),
        *("03:00", "03:30", "04:00"),
    ]


def test_an_hour_that_does_not_exist_gets_no_label() -> None:
    start = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)

    found = labels(start, timedelta(hours=24))

    assert "02:00" not in found
    assert "04:00" in found


@pytest.mark.parametrize(
    ("length", "last"),
    [
        (timedelta(milliseconds=40), "01:00:00.040"),
        (timedelta(seconds=8), "01:00:08"),
        (timedelta(days=3), "24 Nov"),
        (timedelta(days=4000), "Oct 2037"),
    ],
)
def test_the_precision_of_a_label_follows_the_distance(length: timedelta, last: str) -> None:
    assert labels(datetime(2026, 11, 21, tzinfo=UTC), length)[-1] == last


@pytest.mark.parametrize("seconds", [0.001, 0.5, 1, 59, 61, 3600, 90_000, 1e7, 1e9, 2e11])
def test_there_are_neither_too_few_nor_too_many_labels(seconds: float) -> None:
    found = labels(datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=seconds))

    assert len(found) <= 13


def test_the_end_of_the_calendar_ends_the_labels() -> None:
    axis = axis_over(datetime(9999, 12, 30, tzinfo=UTC), timedelta(hours=47))

    assert ticks(axis, ZoneInfo("UTC"))


def test_numbers_are_written_as_svg_wants_them() -> None:
    assert [number(value) for value in (1.0, 0.04, 12.35, -3.0)] == ["1", "0", "12.3", "-3"]
