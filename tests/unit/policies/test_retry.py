from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_agenda.policies.retry import Retry
from django_agenda.policies.timeout import read_duration
from django_agenda.timing.backoff import parse_backoff
from tests.naming import named

SECOND = timedelta(seconds=1)


def retry(**options: Any) -> Retry:
    given: dict[str, Any] = {"max_attempts": 3, "retry_on": Exception, "give_up_on": ()}
    given["backoff"] = parse_backoff(options.pop("backoff", SECOND))
    return Retry(**given | options)


def test_an_error_that_is_to_be_retried_waits_as_the_backoff_says() -> None:
    assert retry().delay_after(1, ValueError()) == SECOND
    assert (
        retry(backoff=lambda attempt, error: attempt * SECOND).delay_after(2, ValueError())
        == 2 * SECOND
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retry_on": OSError}, ValueError()),
        ({"retry_on": (OSError, KeyError)}, ValueError()),
        ({"give_up_on": ValueError}, ValueError()),
        ({"give_up_on": [LookupError]}, KeyError()),
        ({"retry_on": ValueError, "give_up_on": ValueError}, ValueError()),
        ({}, KeyboardInterrupt()),
        ({}, SystemExit()),
        ({"backoff": lambda attempt, error: None}, ValueError()),
    ],
    ids=named,
)
def test_what_is_not_worth_a_retry_gives_none(
    options: dict[str, Any], error: BaseException
) -> None:
    assert retry(**options).delay_after(1, error) is None


def test_a_subclass_is_retried_like_its_class() -> None:
    assert retry(retry_on=OSError).delay_after(1, TimeoutError()) == SECOND


@pytest.mark.parametrize("value", [1, 1.0, SECOND])
def test_a_duration_is_a_timedelta_or_seconds(value: Any) -> None:
    assert read_duration("timeout", value) == SECOND


def test_no_duration_stays_none() -> None:
    assert read_duration("timeout", None) is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (1e20, (ValueError, OverflowError)),
        (True, TypeError),
        ("1", TypeError),
    ],
)
def test_any_other_duration_is_refused_by_name(value: Any, error: Any) -> None:
    with pytest.raises(error):
        read_duration("timeout", value)
