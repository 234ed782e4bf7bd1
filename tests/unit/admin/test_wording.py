"""Numbers and moments in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from django_agenda.admin import wording

NOON = datetime(2026, 11, 21, 12, 0, 3, 412_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1234, "1.2 s"),
        (12_345, "12 s"),
        (59_949, "60 s"),
        (90_000, "1 min 30 s"),
        (14_400_000, "4 h"),
        (187_200_000, "2 d 4 h"),
        (-2000, "-2.0 s"),
    ],
)
def test_a_duration_has_at_most_two_units(milliseconds: int, words: str) -> None:
    assert wording.duration(milliseconds) == words


@pytest.mark.parametrize(
    ("number", "milliseconds", "words"),
    [
        (1000, 4_000, "250 / s"),
        (1000, 14_400_000, "4.2 / min"),
        (10, 3_600_000, "10 / h"),
        (1, 86_400_000, "1 / d"),
        (2040, 1, "2,040 in 1 ms"),
        (40, 999, "40 in 999 ms"),
        (40, 1000, "40 / s"),
        (0, 5, "–"),
    ],
)
def test_a_rate_uses_the_unit_that_suits_it(number: int, milliseconds: int, words: str) -> None:
    assert wording.rate(number, milliseconds) == words


def test_little_is_not_shown_as_nothing_nor_almost_all_as_all() -> None:
    found = [wording.percent(part, 100_000) for part in (0, 1, 7000, 99_999, 100_000)]

    assert found == ["0 %", "< 0.1 %", "7 %", "> 99.9 %", "100 %"]


def test_a_moment_of_another_day_has_its_date() -> None:
    with timezone.override("Europe/Berlin"):
        assert wording.clock_time(NOON, NOON) == "13:00:03"
        assert wording.clock_time(NOON, NOON, exact=True) == "13:00:03.412"
        assert wording.clock_time(NOON - timedelta(days=1), NOON) == "20 Nov, 13:00:03"
        assert wording.clock_time(NOON - timedelta(days=400), NOON) == "17 Oct 2025, 14:00:03"


def test_the_title_of_a_moment_is_in_utc() -> None:
    assert 'title="2026-11-21 12:00:03.412 UTC"' in wording.time_tag(NOON, NOON)


def test_a_distance_is_rough() -> None:
    assert wording.distance(NOON + timedelta(seconds=331), NOON) == "in 5 min"
    assert wording.distance(NOON - timedelta(hours=50), NOON) == "2 d ago"


def test_thousands_are_grouped_also_where_no_language_is_on() -> None:
    with translation.override(None):
        assert wording.count(12_456) == "12,456"
    with translation.override("de"):
        assert wording.count(12_456) == "12.456"
