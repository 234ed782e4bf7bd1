"""What meets a condition: as Python compares, and nothing that cannot be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.policies.condition import OPERATORS, Condition

NUMBERS = st.integers(-20, 20) | st.floats(-20, 20)
MOMENT = datetime(2030, 1, 1, tzinfo=UTC)
WEIRD: list[Any] = [None, True, 7, 7.5, "a", [1], {"a": 1}, Decimal("7.5"), MOMENT, uuid4()]


def met(operator: str, value: Any, argument: Any) -> bool:
    return Condition(operator=operator, value=value).is_met_by(argument)


@given(argument=NUMBERS, value=NUMBERS)
def test_six_operators_compare_as_python_does(argument: Any, value: Any) -> None:
    assert met("==", value, argument) == (argument == value)
    assert met("!=", value, argument) == (argument != value)
    assert met(">", value, argument) == (argument > value)
    assert met(">=", value, argument) == (argument >= value)
    assert met("<", value, argument) == (argument < value)
    assert met("<=", value, argument) == (argument <= value)


@given(argument=NUMBERS, ends=st.tuples(NUMBERS, NUMBERS).map(sorted))
def test_between_is_at_least_the_first_and_at_most_the_second(argument: Any, ends: Any) -> None:
    low, high = ends

    assert met("between", ends, argument) == (
        met(">=", low, argument) and met("<=", high, argument)
    )
    assert met("between", ends, low)
    assert met("between", ends, high)


@given(
    argument=st.sampled_from(WEIRD),
    value=st.sampled_from(WEIRD),
    operator=st.sampled_from(OPERATORS),
)
def test_nothing_that_is_compared_raises(argument: Any, value: Any, operator: str) -> None:
    if operator == "between":
        value = [value, value]
    try:
        condition = Condition(operator=operator, value=value)
    except ValueError:
        return
    assert condition.is_met_by(argument) in (True, False)


@pytest.mark.parametrize(
    ("operator", "value", "argument"),
    [
        (">", "a", 7),
        ("<=", 7, None),
        ("between", [1, 9], "5"),
        ("between", ["a", "z"], 5),
        (">=", MOMENT, datetime(2031, 1, 1)),
        ("<", Decimal(1), "0"),
        ("==", 7, "7"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_not_met(
    operator: str, value: Any, argument: Any
) -> None:
    assert not met(operator, value, argument)


@pytest.mark.parametrize(
    ("operator", "value", "argument"),
    [
        ("==", None, None),
        ("==", 60, 60.0),
        ("==", {"a": [1, 2]}, {"a": [1, 2]}),
        ("!=", 7, "7"),
        (">", timedelta(seconds=1), timedelta(minutes=1)),
        ("between", [MOMENT, MOMENT + timedelta(days=1)], MOMENT + timedelta(hours=1)),
        ("between", ("a", "m"), "hello"),
        ("<", Decimal("7.5"), 7),
    ],
)
def test_what_can_be_compared_is(operator: str, value: Any, argument: Any) -> None:
    assert met(operator, value, argument)


@pytest.mark.parametrize(
    ("operator", "value", "words"),
    [
        ("=", 1, "'operator' must be one of .*, not '='"),
        (None, 1, "'operator' must be one of .*, not None"),
        ([], 1, "'operator' must be one of"),
        ("between", 5, "'value' must be a pair for 'between', not 5"),
        ("between", "ab", "'value' must be a pair for 'between', not 'ab'"),
        ("between", [1, 2, 3], r"'value' must be a pair for 'between', not \[1, 2, 3\]"),
        ("between", [1, "a"], r"'value' must be a pair in its order, not \[1, 'a'\]"),
        ("between", [9, 1], r"'value' must be a pair in its order, not \[9, 1\]"),
        (">", None, "'value' has no order for '>': None"),
        ("<=", {"a": 1}, "'value' has no order for '<=': {'a': 1}"),
    ],
)
def test_what_nothing_could_ever_meet_is_refused(operator: Any, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Condition(operator=operator, value=value)
