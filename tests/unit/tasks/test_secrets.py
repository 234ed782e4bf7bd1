"""A secret argument is known by its name, and leaves no text that is kept."""

from __future__ import annotations

from typing import Any

import pytest

from django_agenda.checks import check_settings
from django_agenda.tasks.secrets import HIDDEN, is_secret, secrets_of, without
from django_agenda.tasks.task import Task


def pay(address: str, card: Any, token: Any = None, **more: Any) -> None:
    """Stand for a task with secrets."""


PAY = Task(pay, redact=["card"])


def sign_in(user: str, *tokens: str) -> None:
    """Stand for a task that takes any number of secrets."""


@pytest.mark.parametrize(
    ("args", "kwargs", "found"),
    [
        (("a@example.com", "41111111"), {}, ["41111111"]),
        ((), {"address": "street 5678", "card": 41111111}, ["41111111"]),
        (("x", "41111111", "token-1"), {}, ["41111111", "token-1"]),
        ((), {"options": {"api_key": ["first-key", "second-key"]}}, ["second-key", "first-key"]),
        ((), {"token": {"deep": {"value": "abcdefgh"}}}, ["abcdefgh"]),
        (("x", "short", None), {"password": True}, []),
        (("x", "y", "z", "one too many"), {}, []),
    ],
)
def test_secret_values_are_found_at_every_depth(args: Any, kwargs: Any, found: list[str]) -> None:
    assert secrets_of(PAY, args, kwargs) == found


@pytest.mark.parametrize("tokens", [(), ("first-one",), ("first-one", "the-second")])
def test_each_of_any_number_of_secrets_is_found(tokens: tuple[str, ...]) -> None:
    assert set(secrets_of(Task(sign_in), ("somebody", *tokens), {})) == set(tokens)


def test_they_are_hidden_as_they_are_and_as_repr_writes_them() -> None:
    text = "login 'pass\\nword' of pass\nword"

    assert without(text, ["pass\nword"]) == f"login '{HIDDEN}' of {HIDDEN}"


def test_the_longer_one_is_hidden_wholly() -> None:
    secrets = secrets_of(PAY, ("x", "secret-1"), {"token": "secret-1-and-more"})

    assert without("secret-1-and-more", secrets) == HIDDEN


def is_personal(name: str) -> bool:
    """Stand for the function of a project."""
    if name == "bang":
        raise LookupError(name)
    return name.startswith("tax_")


@pytest.mark.parametrize(
    ("name", "hides"), [("tax_number", True), ("password", True), ("colour", False), ("bang", True)]
)
def test_a_project_says_what_else_is_secret(settings: Any, name: str, hides: bool) -> None:
    settings.DJANGO_AGENDA = {"REDACT": f"{__name__}.is_personal"}

    assert is_secret(name) is hides


def test_what_is_secret_by_the_project_leaves_no_text(settings: Any) -> None:
    settings.DJANGO_AGENDA = {"REDACT": f"{__name__}.is_personal"}

    assert secrets_of(PAY, ("street 5678", None), {"more": {"tax_id": "12345678"}}) == ["12345678"]


@pytest.mark.parametrize("path", ["nowhere.is_secret", f"{__name__}.HIDDEN", "is_secret"])
def test_everything_is_secret_when_the_project_cannot_be_asked(settings: Any, path: str) -> None:
    settings.DJANGO_AGENDA = {"REDACT": path}

    assert is_secret("colour")
    found = [one for one in check_settings(None) if one.id == "django_agenda.E004"]
    assert len(found) == 1
    assert repr(path) in found[0].msg


def test_a_function_that_can_be_asked_is_no_problem(settings: Any) -> None:
    settings.DJANGO_AGENDA = {"REDACT": f"{__name__}.is_personal"}

    assert not [one for one in check_settings(None) if one.id == "django_agenda.E004"]
