"""A secret argument is known by its name, and leaves no text that is kept."""

from __future__ import annotations

from typing import Any

import pytest

from django_agenda.tasks.secrets import HIDDEN, secrets_of, without
from django_agenda.tasks.task import Task


def pay(address: str, card: Any, token: Any = None, **more: Any) -> None:
    """Stand for a task with secrets."""


PAY = Task(pay, redact=["card"])


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


def test_they_are_hidden_as_they_are_and_as_repr_writes_them() -> None:
    text = "login 'pass\\nword' of pass\nword"

    assert without(text, ["pass\nword"]) == f"login '{HIDDEN}' of {HIDDEN}"


def test_the_longer_one_is_hidden_wholly() -> None:
    secrets = secrets_of(PAY, ("x", "secret-1"), {"token": "secret-1-and-more"})

    assert without("secret-1-and-more", secrets) == HIDDEN
