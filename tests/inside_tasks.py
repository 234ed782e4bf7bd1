"""Tasks that take their context, tell how far they are, and ask to be tried again."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from django_agenda import Current, current, task
from tests.tasks import Refusal, append
from tests.waiting import wait_until

LONG = 10.0


@task(takes_context=True)
def tell(context: Current, number: int, *, word: str = "") -> list[Any]:
    return [str(context.execution.pk), context.attempt, number, word]


@task(takes_context=True)
async def tell_async(context: Current, number: int, *, word: str = "") -> list[Any]:
    await asyncio.sleep(0)
    return [str(context.execution.pk), context.attempt, number, word]


@task(takes_context=True, redact=["card"])
def pay_by_card(context: Current, address: str, card: str) -> None:
    raise Refusal(f"{address} {card}")


@task(takes_context=True, cpu_bound=True)
def compute(context: Current, path: str, end: str) -> list[Any]:
    if context.attempt == 1:
        context.progress(1, 2, "half")
        append(path, "reported")
        wait_until(lambda: Path(end).exists(), LONG)
        context.retry(after=0, reason="not yet")
    context.progress(2, 2)
    return [context.attempt, current.attempt]


@task
def count_up(path: str, end: str) -> str:
    for number in range(1, 1001):
        current.progress(number, 1000, f"row {number}")
    append(path, "counted")
    wait_until(lambda: Path(end).exists(), LONG)
    current.progress(1000, 1000, "")
    return "done"


@task
async def count_up_async(path: str, end: str) -> str:
    current.progress(1000, 1000, "row 1000")
    append(path, "counted")
    await asyncio.to_thread(wait_until, lambda: Path(end).exists(), LONG)
    current.progress(1000, 1000)
    return "done"


@task
def fail_halfway() -> None:
    current.progress(50, 100, "halfway")
    raise Refusal("no further")


@task
def ask_until(attempt: int, **when: Any) -> int:
    if current.attempt < attempt:
        current.progress(current.attempt, attempt)
        current.retry(**when)
    return current.attempt


@task
async def ask_until_async(attempt: int, **when: Any) -> int:
    if current.attempt < attempt:
        current.retry(**when)
    return current.attempt


@task
def swallow(attempt: int) -> int:
    if current.attempt < attempt:
        try:
            current.retry(after=0)
        except BaseException:
            return -1
    return current.attempt


@task
def catch_errors(attempt: int) -> int:
    try:
        if current.attempt < attempt:
            current.retry(after=0)
    except Exception:
        return -1
    return current.attempt


@task(max_attempts=2)
def ask_then_fail() -> None:
    if current.attempt <= 3:
        current.retry(after=0)
    raise Refusal("for good")


@task(redact=["card"])
def ask_because(card: str) -> str:
    if current.attempt == 1:
        try:
            raise Refusal(f"slow down with {card}")
        except Refusal:
            current.retry(after=0)
    return "sent"


@task(atomic=True)
def ask_atomically(name: str, swallows: bool) -> int:
    User.objects.create(username=f"{name}-{current.attempt}")
    if current.attempt == 1:
        try:
            current.retry(after=0)
        except BaseException:
            if not swallows:
                raise
    return User.objects.count()


@task
def ask_inside_a_transaction(name: str) -> int:
    if current.attempt == 1:
        with transaction.atomic():
            User.objects.create(username=name)
            current.retry(after=0)
    return User.objects.filter(username=name).count()


@task
def ask_wrongly(**when: Any) -> str:
    if "at" in when:
        when["at"] = datetime.fromisoformat(when["at"])
    current.retry(**when)
