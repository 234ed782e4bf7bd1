"""Secrets are never shown, whoever looks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from django_agenda.admin import redaction
from django_agenda.clock import monotonic
from django_agenda.models import Execution
from django_agenda.tasks.registry import register
from django_agenda.tasks.secrets import HIDDEN
from django_agenda.tasks.task import Task


def pay(card: str, amount: int, token: str = "") -> None:
    """Stand for a task with secrets."""


def sign_in(user: str, *tokens: str) -> None:
    """Stand for a task that takes any number of secrets."""


register(Task(pay, redact=["card"]))
register(Task(sign_in))


def call(*args: Any, **kwargs: Any) -> Execution:
    payload: dict[str, Any] = {"args": list(args), "kwargs": kwargs}
    return Execution(task_name=f"{__name__}.pay", **payload)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "PASSWORD",
            "new_password",
            "passwd",
            "token",
            "access_token",
            "client_secret",
        ),
        *("api_key", "Authorization", "authorisation", "cookie", "session_id", "signature"),
        *("private_key", "credentials", "apiUrl"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert redaction.clean({name: "x"}) == {name: HIDDEN}


def test_each_of_any_number_of_secrets_is_hidden() -> None:
    execution = call("ann", "one", "two")
    execution.task_name = f"{__name__}.sign_in"

    assert json.loads(redaction.arguments(execution)[0]) == ["ann", HIDDEN, HIDDEN]


def test_other_names_are_shown() -> None:
    shown = {"user_id": 3, "author": "Ann", "amount": 1.5, "note": None}

    assert redaction.clean(shown) == shown


def test_a_secret_is_found_at_every_depth() -> None:
    found = redaction.clean([{"a": [{"token": {"deep": 1}}]}])

    assert found == [{"a": [{"token": HIDDEN}]}]


def test_positional_arguments_are_known_by_the_names_of_the_task() -> None:
    execution = call("4111", 12, "t0k")

    args, _kwargs = redaction.arguments(execution)

    assert "4111" not in args
    assert "t0k" not in args
    assert "12" in args


def test_what_a_task_redacts_is_hidden_as_a_keyword_too() -> None:
    execution = call(card="4111")

    assert "4111" not in redaction.arguments(execution)[1]


@pytest.mark.parametrize(
    "words",
    [
        "password=hunter2",
        "PASSWORD: hunter2",
        '{"api_key": "hunter2"}',
        "Authorization: Bearer hunter2",
        "redis://:hunter2@localhost:6379/0",
        "smtp://bot:hunter2@mail.example.com",
    ],
)
def test_a_secret_in_text_is_hidden(words: str) -> None:
    assert "hunter2" not in redaction.text(words)


def test_a_key_error_stays_readable() -> None:
    assert redaction.text("KeyError: 'name'") == "KeyError: 'name'"


def test_of_a_task_that_is_not_known_here_nothing_is_shown() -> None:
    execution = call("4111", 12, amount=3)
    execution.task_name = "shop.tasks.gone"
    execution.return_value = {"card": "4111"}

    args, kwargs = redaction.arguments(execution)

    assert (json.loads(args), json.loads(kwargs)) == ([HIDDEN, HIDDEN], {"amount": HIDDEN})
    assert json.loads(redaction.result(execution)) == HIDDEN


@pytest.mark.parametrize(
    "part",
    ["a", "a-", "password", "token ", "token=", "secret='", "x://", "x://a:", "x://a:b@", " "],
)
def test_a_long_text_is_looked_through_once(part: str) -> None:
    """As an image in an argument is: when each place in it is a beginning, it takes minutes."""
    begin = monotonic()

    redaction.text(part * (16_000 // len(part)))

    assert monotonic() - begin < 1


def test_a_password_with_an_at_sign_is_hidden_wholly() -> None:
    assert redaction.text("redis://shop:p@ss@cache:6379") == f"redis://shop:{HIDDEN}@cache:6379"
