"""Cron expressions, in every time zone and through every change of its clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.timing.cron import Cron
from django_agenda.timing.recurrence import last_ticks, ticks_after

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
# Far and near, whole hours and others, at midnight and at 3, south and north.
ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Moscow",
    "Atlantic/Azores",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Asuncion",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Jerusalem",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
)
EXPRESSIONS = ["30 2 * * *", "*/15 * * * *", "0 * * * *", "5,35 0-3 * * *", "15 1 * * SUN"]


def next_one(expression: str, zone: str, moment: datetime) -> datetime:
    found = Cron(expression, zone).after(moment)
    assert found is not None
    return found


def changes(zone: str, since: int = 2015) -> list[datetime]:
    """Return the last four changes of the clocks before 2027, to the minute, in UTC."""
    found: list[datetime] = []
    moment, tz = datetime(since, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    while moment.year < 2027:
        after = moment + DAY
        if moment.astimezone(tz).utcoffset() != after.astimezone(tz).utcoffset():
            low, high = moment, after
            while high - low > MINUTE:
                middle = low + (high - low) // 2
                is_same = middle.astimezone(tz).utcoffset() == low.astimezone(tz).utcoffset()
                low, high = (middle, high) if is_same else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        moment = after
    return found[-4:]


@pytest.mark.parametrize("expression", ["", "* * * *", "61 * * * *", "@noon", "0 0 30 2 *", "x"])
def test_a_bad_expression_is_refused_and_shown(expression: str) -> None:
    with pytest.raises(ValueError, match=f"'{expression}' is no cron expression".replace("*", ".")):
        Cron(expression)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="There is no time zone"):
        Cron("@daily", zone)


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("@daily", "2026-01-02 00:00"),
        ("@hourly", "2026-01-01 01:00"),
        ("@weekly", "2026-01-04 00:00"),
        ("@monthly", "2026-02-01 00:00"),
        ("@yearly", "2027-01-01 00:00"),
        ("@Midnight", "2026-01-02 00:00"),
        ("*/20 * * * * *", "2026-01-01 00:00:20"),
        ("0 9 L * *", "2026-01-31 09:00"),
        ("0 9 LW * *", "2026-01-30 09:00"),
        ("0 9 * * 5L", "2026-01-30 09:00"),
        ("0 9 * * MON#2", "2026-01-12 09:00"),
        ("0 9 * feb mon-fri", "2026-02-02 09:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
    ],
)
def test_every_kind_of_expression_gives_its_first_tick(expression: str, first: str) -> None:
    expected = datetime.fromisoformat(first).replace(tzinfo=UTC)
    assert next_one(expression, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) == expected


def test_an_hour_that_is_left_out_moves_a_fixed_time_to_the_first_minute_that_exists() -> None:
    assert next_one("30 2 * * *", BERLIN, SPRING) == SPRING + HOUR


def test_an_hour_that_comes_twice_has_a_fixed_time_once() -> None:
    ticks = list(ticks_after(Cron("30 2 * * *", BERLIN), AUTUMN - HOUR, AUTUMN + DAY))
    assert ticks == [AUTUMN + HOUR / 2]
    assert next_one("30 2 * * *", BERLIN, AUTUMN + HOUR + MINUTE) == AUTUMN + DAY + HOUR * 1.5


def test_every_hour_means_every_hour_that_passes() -> None:
    for change in (SPRING, AUTUMN):
        ticks = list(ticks_after(Cron("0 * * * *", BERLIN), change - HOUR, change + 4 * HOUR))
        assert ticks == [change + HOUR * number for number in range(5)]


@pytest.mark.parametrize("zone", ZONES)
def test_on_the_days_of_a_change_the_ticks_are_those_of_cronsim(zone: str) -> None:
    for change in changes(zone):
        for expression in EXPRESSIONS:
            begin = change - 13 * HOUR
            local = CronSim(expression, begin.astimezone(ZoneInfo(zone)))
            oracle = [tick.astimezone(UTC) for tick in islice(local, 200)]
            rule = Cron(expression, zone)
            assert list(islice(ticks_after(rule, begin), 30)) == oracle[:30]


@pytest.mark.parametrize("zone", ZONES)
def test_from_every_minute_of_the_day_of_a_change_the_next_tick_is_the_same(zone: str) -> None:
    rule = Cron(EXPRESSIONS[0], zone)
    for change in changes(zone):
        begin = change - 13 * HOUR
        ticks = iter(CronSim(EXPRESSIONS[0], begin.astimezone(ZoneInfo(zone))))
        expected = next(ticks).astimezone(UTC)
        for number in range(26 * 60):
            moment = begin + number * MINUTE
            if expected <= moment:
                expected = next(ticks).astimezone(UTC)
            assert rule.after(moment) == expected


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    minute=st.sampled_from(["*", "*/7", "0", "15,45", "59"]),
    hour=st.sampled_from(["*", "0", "1-3", "*/2", "23"]),
    day=st.sampled_from(["*", "1", "L", "LW", "31"]),
    weekday=st.sampled_from(["*", "SUN", "1#2", "5L"]),
)
def test_in_every_zone_ticks_are_later_and_later_and_on_the_rule(
    zone: str, moment: datetime, minute: str, hour: str, day: str, weekday: str
) -> None:
    begin = moment.replace(tzinfo=UTC)
    expression = f"{minute} {hour} {day} * {weekday}"
    rule = Cron(expression, zone)
    ticks = list(islice(ticks_after(rule, begin), 5))
    assert ticks == sorted(set(ticks))
    assert all(tick > begin for tick in ticks)
    # Whatever moment before a tick one asks from, it is the same tick.
    for before, tick in zip([begin, *ticks], ticks, strict=False):
        middle = before + (tick - before) / 2
        assert rule.after(middle) == tick
    sim = CronSim(expression, begin.astimezone(ZoneInfo(zone)))
    oracle = (found.astimezone(UTC) for found in sim)
    assert ticks == list(islice((one for one in oracle if one > begin), 5))


@given(
    hours=st.integers(0, 24 * 900),
    limit=st.integers(1, 40),
    expression=st.sampled_from(["*/10 * * * *", "@daily", "@yearly", "0 0 29 2 *"]),
)
def test_the_last_ticks_are_the_end_of_all_ticks(hours: int, limit: int, expression: str) -> None:
    rule, since = Cron(expression, BERLIN), SPRING
    until = since + hours * HOUR
    if expression == "*/10 * * * *":
        until = min(until, since + 30 * HOUR)
    assert last_ticks(rule, since, until, limit) == list(ticks_after(rule, since, until))[-limit:]


def test_beyond_the_last_year_there_is_no_tick() -> None:
    assert Cron("@yearly").after(datetime(9999, 6, 1, tzinfo=UTC)) is None
