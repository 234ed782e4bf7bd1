# mypy: disable-error-code="arg-type"
from __future__ import annotations

from datetime import timedelta
from inspect import Parameter, Signature
from typing import Any

import pytest

from django_agenda import Cooldown, Debounce, Limit, Rate
from django_agenda.tasks.gates import gates_of
from django_agenda.tasks.task import Task
from tests.naming import named

POSITIONAL = Parameter.POSITIONAL_OR_KEYWORD


def plain(number: int, name: str = "a") -> None: ...


def with_any(**given: Any) -> None: ...


def test_a_number_is_a_limit_and_a_duration_a_cooldown_or_a_debounce() -> None:
    policies = Task(plain, concurrency=3, cooldown=60, debounce=timedelta(seconds=5)).policies

    assert policies is not None
    assert policies.concurrency == Limit(3)
    assert policies.cooldown == Cooldown(timedelta(minutes=1))
    assert policies.debounce == Debounce(timedelta(seconds=5))


def test_a_task_without_policies_has_none() -> None:
    assert Task(plain).policies is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"concurrency": 0}, ValueError),
        ({"concurrency": -1}, ValueError),
        ({"concurrency": 1.5}, TypeError),
        ({"concurrency": "3"}, TypeError),
        ({"concurrency": True}, TypeError),
        ({"concurrency": Rate(1, 1)}, TypeError),
        ({"rate": 5}, TypeError),
        ({"rate": Limit(5)}, TypeError),
        ({"cooldown": 0}, ValueError),
        ({"cooldown": -1}, ValueError),
        ({"cooldown": "a minute"}, TypeError),
        ({"cooldown": float("nan")}, ValueError),
        ({"debounce": timedelta(0)}, ValueError),
        ({"debounce": Cooldown(1)}, TypeError),
        ({"concurrency": Limit(1, by="nobody")}, ValueError),
        ({"rate": Rate(1, 1, by=("number", "nobody"))}, ValueError),
        ({"cooldown": Cooldown(1, by="nobody")}, ValueError),
        ({"debounce": Debounce(1, by="nobody")}, ValueError),
    ],
    ids=named,
)
def test_a_bad_policy_is_refused_when_it_is_given(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=rf"{next(iter(options))}|Limit"):
        Task(plain, **options)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Limit(1, by=3), TypeError),
        (lambda: Limit(1, by=()), ValueError),
        (lambda: Limit(1, by=("a", "a")), ValueError),
        (lambda: Limit(1, by="a b"), ValueError),
        (lambda: Rate(0, 1), ValueError),
        (lambda: Rate(10_001, 1), ValueError),
        (lambda: Rate(1, 0), ValueError),
        (lambda: Rate(1, None), TypeError),
        (lambda: Rate(1, "minute"), TypeError),
        (lambda: Cooldown(None), TypeError),
        (lambda: Debounce(None), TypeError),
        (lambda: Debounce(1, keep="middle"), ValueError),
    ],
)
def test_a_policy_that_makes_no_sense_cannot_be_made(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


# --- gates ---


def gate(task: Task[..., Any], args: str, kwargs: str = "{}") -> str:
    return gates_of(task, args, kwargs)["concurrency"].id


def test_without_by_a_task_has_one_gate_for_each_policy() -> None:
    task = Task(plain, concurrency=1, rate=Rate(1, 1))

    first, second = gates_of(task, "[1]", "{}"), gates_of(task, "[2]", "{}")

    assert first == second
    assert first["rate"].id != first["concurrency"].id


def test_a_default_counts_as_given_and_names_do_not_matter() -> None:
    task = Task(plain, concurrency=Limit(1, by=["number", "name"]))

    same = [
        gate(task, "[1]"),
        gate(task, '[1, "a"]'),
        gate(task, "[]", '{"name": "a", "number": 1}'),
        gate(task, "[1.0]"),
    ]

    assert len(set(same)) == 1
    assert gate(task, '[1, "b"]') != same[0]


@pytest.mark.parametrize("args", ["[]", "[1, 2, 3]"])
def test_arguments_that_do_not_fit_are_for_the_body_to_refuse(args: str) -> None:
    assert gate(Task(plain, concurrency=Limit(1, by="name")), args)


def test_a_default_that_is_no_json_is_one_value_in_every_process() -> None:
    limit = Limit(1, by="number")
    before = gate(Task(plain, concurrency=limit), "[1]")
    gates = []
    for _ in range(2):
        signature = Signature([Parameter("number", POSITIONAL, default=object())])
        task = Task(plain, concurrency=limit)
        task._signature = signature
        gates.append(gate(task, "[]"))

    assert gates[0] == gates[1] != before


def test_one_of_any_keyword_arguments_can_be_the_value() -> None:
    task = Task(with_any, concurrency=Limit(1, by="region"))

    assert gate(task, "[]", '{"region": "eu"}') != gate(task, "[]", '{"region": "us"}')
    assert gate(task, "[]") == gate(task, "[]", '{"region": null}')


@pytest.mark.parametrize(
    ("args", "label"),
    [
        ("[7]", "number 7, name a"),
        ('[null, "b"]', "number null, name b"),
        ('[{"$decimal": "1.50"}]', "number 1.50, name a"),
        ('[{"token": "x"}, [1]]', "number {…}, name […]"),
    ],
)
def test_the_label_names_what_is_meant(args: str, label: str) -> None:
    task = Task(plain, concurrency=Limit(1, by=("number", "name")))

    assert gates_of(task, args, "{}")["concurrency"].label == label


def test_the_label_hides_what_is_secret_and_is_short() -> None:
    task = Task(plain, concurrency=Limit(1, by=("number", "name")), redact=["number"])

    label = gates_of(task, f'["hunter2", "{"x" * 500}"]', "{}")["concurrency"].label

    assert "hunter2" not in label
    assert len(label) < 100
