from __future__ import annotations

import functools
import json
import os
from datetime import timedelta
from typing import Any

import pytest

from django_agenda import Agenda, Call, UnknownTask, task
from django_agenda.tasks import registry
from django_agenda.tasks.registry import lookup, resolve
from django_agenda.tasks.task import Task
from tests import tasks
from tests.naming import named


def plain(number: int) -> int:
    return number


class Thing:
    def method(self) -> None: ...

    @staticmethod
    def static() -> None: ...


def outer() -> Any:
    def inner() -> None: ...

    return inner


# --- what a task is ---


def test_a_task_is_called_like_its_function() -> None:
    assert tasks.add(1, b=2) == tasks.add.call(1, b=2) == 3
    assert tasks.add.name == "tests.tasks.add"
    assert vars(tasks.add)["__name__"] == "add"
    assert tasks.add.__module__ == "tests.tasks"


def test_what_is_a_task_already_stays_what_it_is() -> None:
    assert task(tasks.mail) is tasks.mail
    assert task()(tasks.mail) is tasks.mail
    with pytest.raises(ValueError, match=r"tests\.tasks\.mail is a task already: give the options"):
        task(priority=3)(tasks.mail)


def test_the_defaults_are_those_of_the_contract() -> None:
    made = Task(plain)

    assert (made.queue_name, made.priority, made.max_attempts) == ("default", 0, 1)
    assert (made.timeout, made.expires, made.on_worker_lost) == (None, None, "retry")


def test_durations_may_be_seconds() -> None:
    made = Task(plain, timeout=1.5, expires=timedelta(minutes=1))

    assert (made.timeout, made.expires) == (timedelta(seconds=1.5), timedelta(minutes=1))


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 101},
        {"priority": -101},
        {"queue_name": "Mail"},
        {"queue_name": ""},
        {"queue_name": "x" * 65},
        {"queue_name": "a b"},
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("inf")},
        {"expires": timedelta(0)},
        {"on_worker_lost": "ignore"},
        {"backoff": -1},
        {"redact": ["nothing_of_the_kind"]},
    ],
    ids=named,
)
def test_a_wrong_value_of_an_option_is_a_value_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Task(plain, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 1.0},
        {"priority": True},
        {"max_attempts": "3"},
        {"max_attempts": True},
        {"timeout": "1s"},
        {"timeout": True},
        {"retry_on": "ValueError"},
        {"give_up_on": [int]},
        {"backoff": "soon"},
        {"redact": "number"},
        {"no_such_option": 1},
    ],
    ids=named,
)
def test_an_option_of_the_wrong_type_is_a_type_error(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Task(plain, **options)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: None,
        outer(),
        Thing.method,
        Thing().method,
        Thing.static,
        Thing,
        print,
        os.system,
        functools.partial(plain, 1),
    ],
    ids=named,
)
def test_what_no_other_process_could_find_is_refused_by_add_itself(refused: Any) -> None:
    agenda = Agenda()

    with pytest.raises(ValueError, match=r"."):
        agenda.add(refused)
    with pytest.raises(ValueError, match=r"."):
        task(refused)
    assert len(agenda) == 0


@pytest.mark.parametrize("refused", [None, 5, b"tests.tasks.add", ["tests.tasks.add"]], ids=named)
def test_what_names_no_task_at_all_is_a_type_error(refused: Any) -> None:
    with pytest.raises(TypeError):
        Agenda().add(refused)


# --- what a name leads to ---


def test_the_three_ways_lead_to_the_same_task() -> None:
    assert resolve(tasks.add) is resolve("tests.tasks.add") is resolve(tasks.add.function)


def test_a_plain_function_is_registered_under_its_dotted_path() -> None:
    name = f"{__name__}.plain"

    found = resolve(plain)

    assert (found.name, found(3)) == (name, 3)
    assert lookup(name) is found


def test_a_function_of_an_installed_app_is_found_by_its_name_alone() -> None:
    registry._tasks.pop("tests.tasks.plain", None)

    assert lookup("tests.tasks.plain").function is tasks.plain


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.run",
        "builtins.eval",
        "tests.tasks",
        "tests.tasks.missing",
        "tests.tasks.HOSTILE",
        "tests.tasks.Refusal",
        "tests.tasks.wait_until",  # defined elsewhere, only imported there
        "tests.tasks.os.system",
        "tests.tasks.Path.unlink",
        "tests.tasks.add.function",
        "tests.unit.tasks.test_task.Thing.static",
        "tests.no.such.module.f",
        "testsuite.tasks.f",
        "tests..f",
        "tests.",
        ".tests.tasks.add",
        " tests.tasks.add",
        "tests.tasks.add ",
        "tests/tasks.add",
        "tests.no\0module.f",
        "tests.\ud800.f",
        "tests.__main__.f",
        "",
        ".",
        "x" * 10_000,
        "tests." * 500 + "f",
        "tests.broken_app.f",
    ],
    ids=lambda name: repr(name)[:40],
)
def test_any_other_name_is_unknown(name: str) -> None:
    with pytest.raises(UnknownTask) as caught:
        lookup(name)

    assert caught.value.name == name
    assert str(caught.value) == f"Task {name!r} is not registered"


def test_an_unknown_task_is_a_key_error() -> None:
    assert issubclass(UnknownTask, KeyError)


def test_a_library_function_by_name_is_not_found_although_it_is_imported() -> None:
    with pytest.raises(UnknownTask):
        lookup(f"{json.dumps.__module__}.dumps")


# --- agenda ---


def test_an_agenda_is_a_list_of_calls() -> None:
    agenda = Agenda()
    agenda.add(tasks.add, key="k")(1, b=2)

    assert list(agenda) == [Call(tasks.add, (1,), {"b": 2}, "k")]
    assert Call._fields == ("task", "args", "kwargs", "key", "at", "labels")
    assert list(agenda) == list(agenda)


def test_an_agenda_can_be_made_of_the_calls_of_another() -> None:
    agenda = Agenda([Call(tasks.add, (1, 2))])

    assert list(Agenda(agenda)) == list(agenda)


def test_what_is_added_to_a_copy_is_not_added_to_the_original() -> None:
    calls = [Call(tasks.add, (1, 2))]
    agenda = Agenda(calls)

    agenda.add(tasks.add)(3, 4)

    assert (len(agenda), len(calls)) == (2, 1)


def test_adding_is_cheap_and_checks_no_arguments() -> None:
    agenda = Agenda()
    agenda.add(tasks.add)(object(), float("nan"))

    assert len(agenda) == 1


def test_an_empty_agenda_is_no_false_value_that_surprises() -> None:
    assert len(Agenda()) == 0
    assert list(Agenda()) == []
