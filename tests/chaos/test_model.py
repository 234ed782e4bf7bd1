"""The protocol in small keeps its promises in every state; without any one clause it does not."""

from __future__ import annotations

from dataclasses import fields

import pytest

from .model import Model
from .search import search
from .state import Rules

pytestmark = pytest.mark.chaos

ALONE = {"workers": 1, "faults": 1, "cancels": 0, "retries": 1}
SMALL = {"workers": 2, "faults": 1, "cancels": 0, "retries": 0}
CANCELLING = {"workers": 2, "faults": 1, "cancels": 1, "retries": 0}
SIZES = (ALONE | {"retries": 0}, ALONE, SMALL, CANCELLING)

# Each of these two stands in for the other: a row that runs no more names nobody.
REDUNDANT = {"record_only_what_runs", "owner_is_cleared"}
MUTANTS = [{field.name} for field in fields(Rules) if field.name not in REDUNDANT]


def without(*names: str) -> Rules:
    return Rules(**dict.fromkeys(names, False))


@pytest.mark.parametrize("size", [ALONE, SMALL, CANCELLING], ids=["alone", "two", "cancelling"])
def test_one_execution_under_any_single_fault(size: dict[str, int]) -> None:
    found = search(Model(Rules(), **size))

    assert found.wrong == ""
    assert found.states > 2_500


def test_two_executions_and_two_workers_without_faults() -> None:
    found = search(Model(Rules(), rows=2, workers=2, faults=0, cancels=0, retries=0))

    assert found.wrong == ""
    assert found.states > 5_000


@pytest.mark.parametrize(
    "clauses", [*MUTANTS, REDUNDANT], ids=lambda names: " and ".join(sorted(names))
)
def test_without_this_clause_a_promise_is_broken(clauses: set[str]) -> None:
    assert any(search(Model(without(*clauses), **size)).wrong for size in SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("clause", sorted(REDUNDANT))
def test_either_of_two_clauses_is_enough(clause: str) -> None:
    assert not any(search(Model(without(clause), **size)).wrong for size in SIZES)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "size",
    [
        {"workers": 1, "faults": 2, "cancels": 0, "retries": 1},
        {"workers": 2, "faults": 1, "cancels": 1, "retries": 1},
        {"workers": 2, "faults": 2, "cancels": 0, "retries": 0},
        {"rows": 2, "workers": 1, "faults": 1, "cancels": 0, "retries": 0},
    ],
    ids=str,
)
def test_deeper(size: dict[str, int]) -> None:
    found = search(Model(Rules(), **size))

    print(f"{found.states} states, {found.steps} steps")  # noqa: T201
    assert found.wrong == ""
