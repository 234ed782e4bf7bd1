import asyncio
import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.timing.backoff import (
    LONGEST_DELAY,
    Backoff,
    Exponential,
    delay,
    parse_backoff,
)

SECOND = timedelta(seconds=1)
BOOM = RuntimeError("boom")

# --- exponential ---


def test_the_delay_doubles_up_to_the_maximum() -> None:
    backoff = Exponential(SECOND, SECOND * 10)

    assert [backoff(attempt).total_seconds() for attempt in range(1, 8)] == [1, 2, 4, 8, 10, 10, 10]


def test_the_default_is_from_a_second_to_about_a_minute_without_jitter() -> None:
    assert Exponential() == Exponential(SECOND, SECOND * 64, 0.0)


def test_numbers_are_seconds() -> None:
    assert Exponential(0.5, 60) == Exponential(timedelta(milliseconds=500), timedelta(minutes=1))


@given(
    minimum=st.timedeltas(min_value=timedelta(0)),
    more=st.timedeltas(min_value=timedelta(0)),
    attempt=st.integers(1, 200),
)
def test_the_delay_is_what_the_formula_says(
    minimum: timedelta, more: timedelta, attempt: int
) -> None:
    us = timedelta(microseconds=1)
    maximum = min(minimum // us + more // us, timedelta.max // us) * us

    wait = Exponential(minimum, maximum)(attempt)

    assert wait // us == min(minimum // us * 2 ** (attempt - 1), maximum // us)


@pytest.mark.timeout(30)
def test_a_billionth_attempt_costs_no_more_than_the_first() -> None:
    assert Exponential(SECOND, timedelta(hours=1))(10**9) == timedelta(hours=1)
    assert Exponential(SECOND, timedelta.max)(10**100) == timedelta.max
    assert Exponential(0, 0)(10**9) == timedelta(0)


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match=f"'attempt' .* not {attempt}"):
        Exponential()(attempt)


def test_a_fraction_of_jitter_draws_that_part_of_the_delay() -> None:
    backoff, rng = Exponential(SECOND, SECOND * 64, 0.25), Random(1)

    waits = [backoff(4, None, rng).total_seconds() for _ in range(500)]

    assert min(waits) == pytest.approx(6, abs=0.05)
    assert max(waits) == pytest.approx(8, abs=0.05)


@pytest.mark.parametrize("full", [True, 1, 1.0])
def test_full_jitter_draws_all_of_the_delay(full: float) -> None:
    backoff, rng = Exponential(SECOND, SECOND * 64, full), Random(1)

    waits = [backoff(4, None, rng).total_seconds() for _ in range(500)]

    assert min(waits) == pytest.approx(0, abs=0.1)
    assert max(waits) == pytest.approx(8, abs=0.1)


def test_jitter_as_a_timedelta_goes_both_ways_between_minimum_and_maximum() -> None:
    backoff, rng = Exponential(SECOND, SECOND * 8, SECOND), Random(1)

    waits = {n: [backoff(n, None, rng).total_seconds() for _ in range(500)] for n in (1, 3, 4)}

    bounds = {1: (1, 2), 3: (3, 5), 4: (7, 8)}
    for attempt, (low, high) in bounds.items():
        assert low <= min(waits[attempt]) < low + 0.05
        assert high - 0.05 < max(waits[attempt]) <= high


def test_no_jitter_is_no_jitter() -> None:
    for none in (False, 0, 0.0, timedelta(0)):
        assert {Exponential(1, 64, none)(3) for _ in range(20)} == {SECOND * 4}


@given(
    attempt=st.integers(1, 10**12),
    jitter=st.floats(0, 1) | st.timedeltas(min_value=timedelta(0)),
)
def test_jitter_never_leaves_the_bounds(attempt: int, jitter: float | timedelta) -> None:
    wait = Exponential(SECOND, timedelta.max, jitter)(attempt)

    assert timedelta(0) <= wait <= timedelta.max


class Lowest(Random):
    def randint(self, a: int, b: int) -> int:
        return a


def test_full_jitter_of_the_longest_delay_is_never_negative() -> None:
    assert Exponential(timedelta.max, timedelta.max, True)(1, None, Lowest()) == timedelta(0)


def test_the_jitter_of_two_calls_differs_without_any_rng() -> None:
    backoff = Exponential(1, 64, jitter=True)

    assert len({backoff(6) for _ in range(10)}) > 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"minimum": -1}, ValueError, "'minimum' .* -1"),
        ({"minimum": -SECOND}, ValueError, "'minimum' .* negative"),
        ({"minimum": 65}, ValueError, "'maximum' parameter must not be below"),
        ({"minimum": 5, "maximum": 4}, ValueError, "'maximum' .* 4"),
        ({"maximum": "60"}, TypeError, "'maximum' .* '60'"),
        ({"maximum": None}, TypeError, "'maximum' .* None"),
        ({"maximum": True}, TypeError, "'maximum' .* True"),
        ({"maximum": float("inf")}, ValueError, "'maximum' .* inf"),
        ({"minimum": float("nan")}, ValueError, "'minimum' .* nan"),
        ({"jitter": 1.5}, ValueError, r"'jitter' .* 1\.5"),
        ({"jitter": -0.1}, ValueError, r"'jitter' .* -0\.1"),
        ({"jitter": float("nan")}, ValueError, "'jitter' .* nan"),
        ({"jitter": -SECOND}, ValueError, "'jitter' .* negative"),
        ({"jitter": "full"}, TypeError, "'jitter' .* 'full'"),
        ({"jitter": None}, TypeError, "'jitter' .* None"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Exponential(**arguments)


def test_an_exponential_is_a_value() -> None:
    backoff = Exponential(1, 64, 0.5)

    assert pickle.loads(pickle.dumps(backoff)) == backoff
    assert len({backoff, Exponential(SECOND, 64.0, 0.5)}) == 1
    with pytest.raises(FrozenInstanceError):
        backoff.minimum = SECOND  # type: ignore[misc]


# --- parsing ---


def give_up(attempt: int, exception: BaseException | None) -> timedelta | None:
    return None


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, timedelta(0)),
        (0, timedelta(0)),
        (SECOND, SECOND),
        (1.5, timedelta(seconds=1.5)),
        (60, timedelta(minutes=1)),
        (Exponential(2, 64), SECOND * 4),
        (lambda attempt, exception: SECOND * attempt * 3, SECOND * 6),
        (give_up, None),
        (timedelta.max, LONGEST_DELAY),
        (1e300, LONGEST_DELAY),
        (10**400, LONGEST_DELAY),
        (Exponential(timedelta.max, timedelta.max), LONGEST_DELAY),
    ],
)
def test_every_way_to_name_a_delay_is_understood(value: Any, wait: timedelta | None) -> None:
    backoff = parse_backoff(value)

    assert delay(backoff, 2, BOOM) == wait
    assert parse_backoff(backoff) == backoff


def test_what_is_parsed_of_a_constant_is_a_value() -> None:
    assert parse_backoff(60) == parse_backoff(timedelta(minutes=1))
    assert pickle.loads(pickle.dumps(parse_backoff(60))) == parse_backoff(60)


def takes_one(attempt: int) -> timedelta:
    return SECOND


async def later(attempt: int, exception: BaseException | None) -> timedelta:
    return SECOND


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (True, TypeError, "'backoff' .* True"),
        ("60", TypeError, "'backoff' .* '60'"),
        ([1, 2], TypeError, r"'backoff' .* \[1, 2\]"),
        (-1, ValueError, "'backoff' .* -1"),
        (-SECOND, ValueError, "'backoff' .* negative"),
        (float("nan"), ValueError, "'backoff' .* nan"),
        (float("-inf"), ValueError, "'backoff' .* -inf"),
        (takes_one, TypeError, r"\(attempt, exception\).*takes_one"),
        (later, TypeError, "coroutine function"),
    ],
)
def test_what_is_no_backoff_is_refused(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_backoff(value)


def test_a_builtin_without_a_signature_is_taken_as_it_is() -> None:
    builtin: Any = max

    assert parse_backoff(builtin) is builtin


# --- asking ---


def test_a_callable_is_told_the_attempt_and_the_exception() -> None:
    told: list[tuple[int, BaseException | None]] = []

    def listening(attempt: int, exception: BaseException | None) -> timedelta:
        told.append((attempt, exception))
        return SECOND

    delay(parse_backoff(listening), 3, BOOM)

    assert told == [(3, BOOM)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(5, TypeError), ("1s", TypeError), (False, TypeError), (-SECOND, ValueError)],
)
def test_a_wrong_answer_of_a_callable_is_named(answer: Any, error: type[Exception]) -> None:
    backoff: Backoff = lambda attempt, exception: answer  # noqa: E731

    with pytest.raises(error, match=r"The backoff <function") as refusal:
        delay(parse_backoff(backoff), 1, BOOM)

    assert repr(answer) in str(refusal.value)


def test_what_a_callable_raises_comes_through() -> None:
    def broken(attempt: int, exception: BaseException | None) -> timedelta:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        delay(parse_backoff(broken), 1, BOOM)


def test_the_longest_delay_can_be_added_to_any_moment_of_this_millennium() -> None:
    assert datetime(2999, 12, 31, tzinfo=UTC) + LONGEST_DELAY < datetime(9999, 1, 1, tzinfo=UTC)
