"""Tasks with policies, and what they leave behind in files."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from django_agenda import Cooldown, Debounce, Limit, Rate, task
from django_agenda.clock import monotonic
from tests.tasks import append, lines

SETTLE = timedelta(seconds=1)


@task(concurrency=1)
def alone(path: str, number: int = 0, seconds: float = 0.0) -> int:
    return _visit(path, number, seconds)


@task(concurrency=Limit(2))
def in_pairs(path: str, number: int = 0, seconds: float = 0.0) -> int:
    return _visit(path, number, seconds)


@task(concurrency=Limit(1, by="customer"))
def one_of_each(path: str, customer: object = 7, seconds: float = 0.0) -> int:
    return _visit(path, 0, seconds)


@task(concurrency=Limit(1, by=("customer", "region")), max_attempts=3, backoff=0.05)
def fail_alone(path: str, customer: int, region: str = "eu") -> None:
    _visit(path, customer, 0.02)
    raise RuntimeError("on purpose")


@task(concurrency=Limit(1, by="token"), redact=["token"])
def with_a_secret(token: str) -> str:
    return token


def _visit(path: str, number: int, seconds: float) -> int:
    """Write down when it came and when it went: the times of one machine's monotonic clock."""
    append(path, f"in {number} {monotonic()}")
    threading.Event().wait(seconds)
    append(path, f"out {number} {monotonic()}")
    return number


def most_at_once(path: str | Path) -> int:
    """Return how many were in at the same time, at most; whoever never went out counts on."""
    inside = most = 0
    for line in sorted(lines(path), key=lambda line: float(line.split()[2])):
        inside += 1 if line.startswith("in") else -1
        most = max(most, inside)
    return most


def visitors(path: str | Path) -> list[int]:
    """Return who came, in that order."""
    return [int(line.split()[1]) for line in lines(path) if line.startswith("in")]


@task(rate=Rate(5, per=0.4))
def five_at_a_time(path: str, number: int = 0) -> None:
    append(path, f"in {number} {monotonic()}")


@task(rate=Rate(1, per=3600, by="customer"), concurrency=Limit(1))
def seldom(customer: int) -> None: ...


@task(rate=Rate(2, per=3600))
def twice_an_hour() -> None: ...


@task(cooldown=3600)
def rarely() -> None: ...


@task(cooldown=Cooldown(3600, by="customer"), concurrency=Limit(1), max_attempts=2, backoff=0)
def rarely_each(customer: int, fails: bool = False) -> None:
    if fails:
        raise RuntimeError("on purpose")


@task(debounce=Debounce(SETTLE, by="customer"))
def settle_first(path: str, customer: int, number: int) -> None:
    append(path, f"in {number} {monotonic()}")


@task(debounce=Debounce(SETTLE, by="customer", keep="last"))
def settle_last(path: str, customer: int, number: int) -> None:
    append(path, f"in {number} {monotonic()}")
