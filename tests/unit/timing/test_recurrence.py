"""Intervals on their grid, moments that come once, and what is common to all rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.timing.recurrence import (
    Interval,
    Once,
    jittered,
    last_ticks,
    ticks_after,
)

ANCHOR = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

lengths = st.timedeltas(timedelta(microseconds=1), timedelta(days=400))
moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize("length", [timedelta(0), -SECOND])
def test_an_interval_must_be_positive(length: timedelta) -> None:
    with pytest.raises(ValueError, match="must be a positive duration"):
        Interval(length=length, anchor=ANCHOR)


@given(length=lengths, moment=moments)
def test_ticks_of_an_interval_stay_on_its_grid(length: timedelta, moment: datetime) -> None:
    tick = Interval(length=length, anchor=ANCHOR).after(moment)
    assert tick is not None
    assert tick > moment
    assert (tick - ANCHOR) % length == timedelta(0)
    assert tick - length <= moment or tick == ANCHOR


def test_before_its_anchor_an_interval_has_no_tick() -> None:
    assert Interval(length=SECOND, anchor=ANCHOR).after(ANCHOR - timedelta(days=9)) == ANCHOR


def test_an_interval_longer_than_time_has_no_second_tick() -> None:
    assert Interval(length=timedelta.max, anchor=ANCHOR).after(ANCHOR) is None


def test_what_is_to_run_once_has_one_tick() -> None:
    assert list(ticks_after(Once(at=ANCHOR), ANCHOR - SECOND)) == [ANCHOR]
    assert Once(at=ANCHOR).after(ANCHOR) is None


@given(length=lengths, steps=st.integers(0, 2000), limit=st.integers(1, 50))
def test_the_last_ticks_of_an_interval_are_the_last_points_of_the_grid(
    length: timedelta, steps: int, limit: int
) -> None:
    length = min(length, timedelta(hours=3))
    rule = Interval(length=length, anchor=ANCHOR)
    found = last_ticks(rule, ANCHOR, ANCHOR + length * steps, limit)
    first = max(0, steps - limit) + 1
    assert found == [ANCHOR + length * step for step in range(first, steps + 1)]


def test_years_of_missed_seconds_cost_no_more_than_those_that_are_wanted() -> None:
    rule = Interval(length=SECOND, anchor=ANCHOR)
    assert len(last_ticks(rule, ANCHOR, ANCHOR + timedelta(days=4000), 10)) == 10


@given(
    jitter=st.timedeltas(timedelta(0), timedelta(hours=2)),
    gap=st.timedeltas(timedelta(microseconds=1), timedelta(hours=1)),
    seed=st.text(max_size=5),
)
def test_jitter_moves_a_tick_later_but_not_to_the_next_one(
    jitter: timedelta, gap: timedelta, seed: str
) -> None:
    moved = jittered(ANCHOR, ANCHOR + gap, jitter, seed)
    assert ANCHOR <= moved <= ANCHOR + jitter
    assert moved < ANCHOR + gap
    assert moved == jittered(ANCHOR, ANCHOR + gap, jitter, seed)
