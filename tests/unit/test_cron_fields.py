"""Cron expressions of others, held against what Celery and croniter would do with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from django_agenda.management.foreign.cron_fields import from_celery, from_croniter
from django_agenda.management.foreign.found import CannotCarry
from django_agenda.timing.cron import Cron


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        (("0", "4", "*", "*", "*"), "0 4 * * *"),
        (("*/15", "*", "*", "*", "*"), "*/15 * * * *"),
        (("0,30", "8-17/3", "*", "*", "mon-fri"), "0,30 8,11,14,17 * * 1,2,3,4,5"),
        (("0", "0", "*", "*", "0"), "0 0 * * 0"),
        (("0", "0", "*", "*", "7"), "0 0 * * 0"),
        (("0", "0", "*", "*", "sunday"), "0 0 * * 0"),
        (("0", "0", "*", "*", "fri-mon"), "0 0 * * 0,1,5,6"),
        (("0", "22-2", "*", "*", "*"), "0 0,1,2,22,23 * * *"),
        (("0", "0", "1-31", "*", "1"), "0 0 * * 1"),
        (("0", "0", "1,15", "*", "0-6"), "0 0 1,15 * *"),
        (("0", "0", "*/2", "*", "1"), "0 0 */2 * 1"),
        (("0", "0", "1", "jan,jul", "*"), "0 0 1 1,7 *"),
        (("[0, 30]", "*", "*", "*", "*"), "0,30 * * * *"),
        (("*/1", "*", "*", "*", "*"), "* * * * *"),
    ],
)
def test_a_crontab_of_celery_is_written_as_ours(fields: tuple[str, ...], expression: str) -> None:
    assert from_celery(*fields) == expression
    Cron(expression)


def test_sunday_is_sunday() -> None:
    rule = Cron(from_celery("0", "12", "*", "*", "0"))

    found = rule.after(datetime(2026, 11, 18, tzinfo=UTC))

    assert found == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert found.strftime("%A") == "Sunday"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (("0", "0", "13", "*", "5"), "both match"),
        (("60", "0", "*", "*", "*"), "minute has '60'"),
        (("0", "0", "*", "*", "8"), "day of week has '8'"),
        (("0", "0", "*", "*", "noday"), "day of week has 'noday'"),
        (("0", "0", "L", "*", "*"), "day of month has 'L'"),
        (("0", "*/0", "*", "*", "*"), "step of nothing"),
        (("0", "-5", "*", "*", "*"), "not understood"),
    ],
)
def test_what_cannot_be_said_is_refused(fields: tuple[str, ...], why: str) -> None:
    with pytest.raises(CannotCarry, match=why):
        from_celery(*fields)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("0 4 * * *", "0 4 * * *"),
        ("0 4 * * * 30", "30 0 4 * * *"),
        ("0 0 13 * 5", "0 0 13 * 5"),
        ("0 0 */10 * 5", "0 0 1,11,21,31 * 5"),
        ("0 0 ? * 5", "0 0 * * 5"),
        ("@daily", "@daily"),
    ],
)
def test_an_expression_of_croniter_is_written_as_ours(theirs: str, ours: str) -> None:
    assert from_croniter(theirs) == ours
    Cron(ours)


def test_a_field_for_years_is_refused() -> None:
    with pytest.raises(CannotCarry, match="years"):
        from_croniter("0 4 * * * 0 2030")
