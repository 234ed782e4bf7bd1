"""Trouble with a server is said once, and its end once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_agenda.clock import monotonic
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.signals import trouble_began, trouble_ended
from django_agenda.worker.trouble import BROKER, DATABASE, Trouble


@pytest.fixture
def said() -> Iterator[list[str]]:
    words: list[str] = []

    def began(part: str, **_: object) -> None:
        words.append(f"{part} down")

    def ended(part: str, **_: object) -> None:
        words.append(f"{part} up")

    trouble_began.connect(began)
    trouble_ended.connect(ended)
    yield words
    trouble_began.disconnect(began)
    trouble_ended.disconnect(ended)


def test_it_is_said_once_and_its_end_once(said: list[str]) -> None:
    trouble = Trouble()

    for _ in range(3):
        trouble.met(BrokerUnavailable("gone"))
    assert trouble.is_on(BROKER)
    for _ in range(3):
        trouble.over(BROKER, monotonic())

    assert not trouble.is_on(BROKER)
    assert said == ["broker down", "broker up"]


def test_an_answer_to_what_was_asked_before_is_no_end(said: list[str]) -> None:
    trouble, asked = Trouble(), monotonic()
    trouble.met(BrokerUnavailable("gone"))

    trouble.over(BROKER, asked)

    assert trouble.is_on(BROKER)
    assert said == ["broker down"]


def test_another_server_has_its_own(said: list[str]) -> None:
    trouble = Trouble()
    trouble.met(BrokerUnavailable("gone"))

    trouble.over(DATABASE, monotonic())

    assert trouble.is_on(BROKER)
    assert said == ["broker down"]
