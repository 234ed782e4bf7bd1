"""The arguments of a call by their names."""

from __future__ import annotations

from typing import Any

from django_agenda.tasks.arguments import arguments_of
from django_agenda.tasks.task import Task


def remind(customer_id: int, channel: str = "mail", *, tries: int = 3) -> None: ...


def gather(
    first: int, *others: int, tags: tuple[str, ...] = ("a", "b"), **options: Any
) -> None: ...


def test_positions_names_and_defaults_all_count() -> None:
    expected = {"customer_id": 7, "channel": "sms", "tries": 3}

    assert arguments_of(Task(remind), [7, "sms"], {}) == expected
    assert arguments_of(Task(remind), [], {"channel": "sms", "customer_id": 7}) == expected
    assert arguments_of(Task(remind), [7], {})["channel"] == "mail"


def test_collected_arguments_are_lists_and_options_have_their_own_names() -> None:
    found = arguments_of(Task(gather), [1, 2, 3], {"colour": "red"})

    assert (found["first"], found["others"], found["tags"]) == (1, [2, 3], ["a", "b"])
    assert found["colour"] == "red"


def test_of_what_does_not_fit_or_is_not_known_only_the_names_are_known() -> None:
    assert arguments_of(Task(remind), [1, 2, 3, 4], {"tries": 9}) == {"tries": 9}
    assert arguments_of(None, [7], {"tries": 9}) == {"tries": 9}


def test_a_task_has_the_parameters_of_its_signature() -> None:
    assert Task(remind).has_argument("tries")
    assert not Task(remind).has_argument("customer")
    assert Task(gather).has_argument("anything")


def test_the_context_of_a_run_is_no_argument() -> None:
    task = Task(remind, takes_context=True)

    assert arguments_of(task, ["sms"], {}) == {"channel": "sms", "tries": 3}
    assert not task.has_argument("customer_id")
