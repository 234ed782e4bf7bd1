"""The bodies of a run under faults: short, of every kind, each writing to the ledger."""

from __future__ import annotations

import asyncio
import os
import threading

from django.contrib.auth.models import User

from django_agenda import Call, current, task

from .ledger import written_down

SOON = 0.05
MILLISECONDS = 6
_never = threading.Event()


class Refusal(Exception):
    """Stand for an error of the project's own."""


@task
def plain(number: int) -> int:
    with written_down():
        _never.wait(number % MILLISECONDS / 1000)
    return number


@task
async def coroutine(number: int) -> int:
    with written_down():
        await asyncio.sleep(number % MILLISECONDS / 1000)
    return number


# A database that is down fails the body itself, which is then tried again for ten seconds.
@task(atomic=True, max_attempts=40, backoff=0.5)
def together(number: int) -> int:
    """Leave one row behind, whose name tells which run has written it."""
    with written_down():
        name = f"{current.execution.pk.hex} {current.attempt} {os.getpid()}"
        User.objects.create(username=name)
    return number


@task(max_attempts=3, backoff=SOON)
def flaky(number: int) -> int:
    with written_down():
        if current.attempt == 1:
            raise Refusal("the first time")
    return number


@task(max_attempts=2, backoff=SOON)
def failing(number: int) -> None:
    with written_down():
        raise Refusal("always")


@task(on_worker_lost="fail")
def at_most_once(number: int) -> int:
    with written_down():
        _never.wait(number % MILLISECONDS / 1000)
    return number


@task
def finished(batch_id: int) -> int:
    with written_down():
        return batch_id


@task
def long_at_first(seconds: float) -> None:
    """Take so long at the first attempt, and no time when it runs again."""
    with written_down():
        if current.attempt == 1:
            _never.wait(seconds)


def calls(count: int) -> list[Call]:
    """Return so many calls: half of them plain, the rest of every other kind."""
    return [Call(_kind(number), (number,)) for number in range(count)]


def _kind(number: int) -> object:
    others = {1: together, 3: coroutine, 5: flaky, 7: coroutine, 9: at_most_once}
    return failing if number % 40 == 10 else others.get(number % 10, plain)
