import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.timing.window import Window

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_window_ends_when_its_duration_has_passed() -> None:
    window = Window(start=START, over=HOUR)

    assert window.end == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert window.over_us == 3_600_000_000


@pytest.mark.parametrize("over", [timedelta(0), -HOUR, timedelta.min, timedelta(microseconds=-1)])
def test_a_duration_that_is_not_positive_is_refused_before_all_else(over: timedelta) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - compared whole
        Window(start=datetime(2026, 1, 1), over=over)

    assert str(refusal.value) == "'over' parameter must be a positive duration"


@pytest.mark.parametrize("over", [3600, 1.5, "1h", None, START])
def test_a_duration_that_is_no_timedelta_is_named(over: Any) -> None:
    with pytest.raises(TypeError, match="'over' parameter must be a timedelta") as refusal:
        Window(start=datetime(2026, 1, 1), over=over)

    assert repr(over) in str(refusal.value)


def test_a_naive_start_is_named() -> None:
    with pytest.raises(ValueError, match=r"'start' .* datetime\.datetime\(2026, 1, 1, 0, 0\)"):
        Window(start=datetime(2026, 1, 1), over=HOUR)


@pytest.mark.parametrize("start", [None, date(2026, 1, 1), "2026-01-01T00:00Z", 0])
def test_a_start_that_is_no_datetime_is_named(start: Any) -> None:
    with pytest.raises(TypeError, match="'start' parameter must be an aware datetime"):
        Window(start=start, over=HOUR)


@pytest.mark.parametrize("over", [timedelta(microseconds=1), HOUR, timedelta.max])
def test_an_end_after_the_year_9999_is_refused(over: timedelta) -> None:
    with pytest.raises(ValueError, match="after the year 9999"):
        Window(start=datetime.max.replace(tzinfo=UTC), over=over)


def test_the_last_microsecond_of_the_year_9999_can_be_the_end() -> None:
    last = datetime.max.replace(tzinfo=UTC)

    assert Window(start=last - HOUR, over=HOUR).end == last


@pytest.mark.parametrize(
    "start",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
    ],
)
def test_a_start_outside_the_calendar_of_utc_is_refused(start: datetime) -> None:
    with pytest.raises(ValueError, match="within the years 1 to 9999"):
        Window(start=start, over=HOUR)


@pytest.mark.parametrize(
    ("night", "hour_on_the_clock"),
    [(datetime(2026, 3, 29, 1, 30), 3), (datetime(2026, 10, 25, 1, 30), 2)],
)
def test_a_window_is_elapsed_time_when_the_clocks_change(
    night: datetime, hour_on_the_clock: int
) -> None:
    berlin = ZoneInfo("Europe/Berlin")

    window = Window(start=night.replace(tzinfo=berlin), over=HOUR)

    assert window.end.timestamp() - window.start.timestamp() == 3600
    assert window.end.astimezone(berlin).hour == hour_on_the_clock


def test_both_ends_belong_to_the_window() -> None:
    window = Window(start=START, over=HOUR)
    instant = timedelta(microseconds=1)

    assert window.contains(window.start)
    assert window.contains(window.end)
    assert window.contains(START.astimezone(ZoneInfo("Asia/Kathmandu")))
    assert not window.contains(window.start - instant)
    assert not window.contains(window.end + instant)


def test_a_naive_moment_is_in_no_window() -> None:
    with pytest.raises(ValueError, match="'moment' parameter must be an aware datetime"):
        Window(start=START, over=HOUR).contains(datetime(2026, 1, 1, 9, 30))


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=9999)))
def test_offsets_count_microseconds_from_start_to_end(over: timedelta) -> None:
    window = Window(start=START, over=over)

    assert window.at(0) == START
    assert window.at(window.over_us) == START + over == window.end
    assert window.at(-1) == START - timedelta(microseconds=1)


def test_a_window_is_a_value() -> None:
    window = Window(start=START, over=HOUR)

    assert window == Window(start=START.astimezone(ZoneInfo("Asia/Tokyo")), over=HOUR)
    assert len({window, pickle.loads(pickle.dumps(window))}) == 1
    with pytest.raises(FrozenInstanceError):
        window.over = HOUR * 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Window(START, HOUR)  # type: ignore[call-arg]
