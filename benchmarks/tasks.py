"""Tasks that cost nothing, so that what is measured is the engine."""

from __future__ import annotations

import os

from django_agenda import Limit, Rate, task


@task
def nothing(number: int) -> None:
    """Do nothing."""


@task(concurrency=Limit(100, by="number"))
def of_many(number: int) -> None:
    """Do nothing, with slots enough."""


@task(concurrency=8)
def in_one_line(number: int) -> None:
    """Do nothing, eight at once."""


@task(rate=Rate(1000, per=1))
def at_a_rate(number: int) -> None:
    """Do nothing, a thousand times a second."""


@task
def write_down(number: int) -> None:
    """Leave a line in a file that neither the database nor Redis knows."""
    place = os.open(os.environ["AGENDA_BENCH_LEDGER"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(place, f"{number}\n".encode())
    finally:
        os.close(place)
