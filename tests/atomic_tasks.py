"""Tasks whose effects are users, committed together with their outcome."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, NoReturn

from django.contrib.auth.models import User
from django.db import IntegrityError, connections, transaction

from django_agenda import schedule, task
from django_agenda.models import Execution
from tests.tasks import SOON, Refusal, append, lines, loop_forever, note


@task(atomic=True)
def create_user_atomically(name: str) -> str:
    User.objects.create(username=name)
    return name


@task(atomic=True, max_attempts=2, backoff=SOON)
def create_user_and_fail_once(path: str, name: str) -> int:
    User.objects.create(username=f"{name} {append(path, 'tried')}")
    if len(lines(path)) == 1:
        raise Refusal("the first time")
    return len(lines(path))


@task(atomic=True)
def create_user_and_lose_the_claim(name: str) -> None:
    """Be declared lost, and rescued by somebody else, in the middle of the body."""
    User.objects.create(username=name)

    def steal() -> None:
        Execution.objects.filter(task_name__endswith="lose_the_claim").update(claimed_by=None)
        connections.close_all()

    _in_a_thread(steal)


@task(atomic=True)
def create_user_and_return_a_set(name: str) -> Any:
    User.objects.create(username=name)
    return {1, 2}


@task(atomic=True)
def create_user_and_hide_an_error(name: str) -> None:
    User.objects.create(username=name)
    with contextlib.suppress(IntegrityError), transaction.atomic(savepoint=False):
        User.objects.create(username=name)


@task(atomic=True)
def create_user_with_a_broken_hook(name: str) -> None:
    User.objects.create(username=name)
    transaction.on_commit(lambda: 1 / 0)


@task(atomic=True)
def create_user_and_schedule(path: str, fail: bool) -> None:
    User.objects.create(username="parent")
    schedule(note)(path, "child")
    if fail:
        raise Refusal("after scheduling")


@task(atomic=True, timeout=0.1)
def create_user_for_ever(name: str) -> NoReturn:
    User.objects.create(username=name)
    loop_forever.function()
    raise AssertionError


def _in_a_thread(step: Any) -> None:
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
