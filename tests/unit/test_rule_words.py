"""What schedules say of their rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.models.rule_words import length_in_words, rule_in_words
from django_agenda.timing.cron import Cron
from django_agenda.timing.recurrence import Interval, Once

ANCHOR = datetime(2030, 5, 1, 12, tzinfo=UTC)
WORDS = {
    "* * * * *": "every minute",
    "*/5 * * * *": "every 5 minutes",
    "*/10 * * * * *": "every 10 seconds",
    "0 * * * *": "every hour",
    "0 */2 * * *": "every 2 hours",
    "15 * * * *": "at minute 15 of every hour",
    "*/7 * * * *": "at minute 0, 7, …, 56 of every hour",
    "15 */2 * * *": "at minute 15 of hour 0, 2, …, 22",
    "* 3,5,9 * * *": "every minute of hour 3, 5 and 9, every day",
    "5 * * * * *": "at second 5, every minute",
    "30 */20 * * * *": "at second 30, at minute 0, 20 and 40 of every hour",
    "0 8 * * *": "at 08:00, every day",
    "15 30 8 * * *": "at 08:30:15, every day",
    "0,30 8,12 * * *": "at 08:00, 08:30, 12:00 and 12:30, every day",
    "*/15 9-17 * * 1-5": "every 15 minutes from 09:00 to 17:45, Monday to Friday",
    "0 9 * * MON-FRI": "at 09:00, Monday to Friday",
    "0 22 * * 5-7": "at 22:00, Friday to Sunday",
    "0 0 * * 0,WED": "at 00:00, Wednesday and Sunday",
    "30 6 1 * *": "at 06:30, day 1 of the month",
    "0 0 1-7,15 * *": "at 00:00, days 1 to 7 and 15 of the month",
    "0 0 29 2 *": "at 00:00, day 29 of the month, in February",
    "5 4 * 5-9 *": "at 04:05, every day, in May to September",
    "0 0 L,15 * *": "at 00:00, day 15 of the month and the last day of the month",
    "0 0 LW * *": "at 00:00, the last weekday of the month",
    "0 0 * * 5L": "at 00:00, the last Friday of the month",
    "0 0 * * 1#1,4#3": (
        "at 00:00, the first Monday of the month and the third Thursday of the month"
    ),
    # Either of two fields that begin with no star, both if one does.
    "0 0 1 * 1": "at 00:00, day 1 of the month or Monday",
    "0 0 */10 * 1": "at 00:00, days 1, 11, 21 and 31 of the month, only if it is Monday",
    "0 0 1-31 * 1": "at 00:00, every day",
    "0 0 * * 0-6": "at 00:00, every day",
}


@pytest.mark.parametrize("expression", WORDS)
def test_a_cron_expression_is_said_in_words(expression: str) -> None:
    assert rule_in_words(Cron(expression)) == f"{WORDS[expression]}, UTC"


@pytest.mark.parametrize(
    ("length", "words", "every"),
    [
        (timedelta(seconds=1), "1 second", "every second"),
        (timedelta(seconds=90), "1 minute 30 seconds", "every 90 seconds"),
        (timedelta(days=1), "1 day", "every day"),
        (timedelta(hours=2, minutes=30), "2 hours 30 minutes", "every 2 hours 30 minutes"),
        (timedelta(milliseconds=1500), "1 second 500 milliseconds", None),
        (timedelta(microseconds=7), "7 microseconds", "every 7 microseconds"),
    ],
)
def test_a_duration_is_said_in_words(length: timedelta, words: str, every: str | None) -> None:
    assert length_in_words(length) == words
    assert rule_in_words(Interval(length=length, anchor=ANCHOR)) == every or f"every {words}"


def test_a_moment_is_said_in_words() -> None:
    assert rule_in_words(Once(at=ANCHOR)) == "once, at 2030-05-01 12:00:00 UTC"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "alle 15 Minuten von 09:00 bis 17:45, Montag bis Freitag, im Mai, Europe/Berlin"),
        ("fr", "toutes les 15 minutes de 09:00 à 17:45, lundi à vendredi, en mai, Europe/Berlin"),
        ("es", "cada 15 minutos de 09:00 a 17:45, lunes a viernes, en mayo, Europe/Berlin"),
        ("ja", "09:00から17:45まで15分ごと, 月曜日～金曜日, 5月, Europe/Berlin"),
        ("zh-hans", "09:00 至 17:45 每 15 分钟, 星期一至星期五, 五月, Europe/Berlin"),
    ],
)
def test_a_rule_speaks_the_language_of_who_asks(language: str, words: str) -> None:
    with translation.override(language):
        assert rule_in_words(Cron("*/15 9-17 * 5 1-5", "Europe/Berlin")) == words


def _field(first: int, last: int, *more: str) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    item = st.one_of(number.map(str), span, *map(st.just, more))
    listed = st.lists(item, min_size=1, max_size=3).map(",".join)
    steps = st.tuples(st.one_of(st.just("*"), span), st.integers(2, last).map(str))
    return st.one_of(st.just("*"), listed, steps.map("/".join))


EXPRESSIONS = st.tuples(
    _field(0, 59),
    _field(0, 23),
    _field(1, 28, "L", "LW"),
    _field(1, 12),
    _field(0, 7, "5L", "1#2"),
).map(" ".join)


def has_ticks(expression: str) -> bool:
    """Tell whether it is one at all: the second Monday is never the first of a month."""
    try:
        Cron(expression)
    except ValueError:
        return False
    return True


@given(
    expression=EXPRESSIONS.filter(has_ticks),
    language=st.sampled_from([code for code, _ in settings.LANGUAGES]),
)
def test_there_are_words_for_every_expression(expression: str, language: str) -> None:
    with translation.override(language):
        words = rule_in_words(Cron(expression))
    assert words.endswith(", UTC")
    assert "%" not in words
    assert ", , " not in words
