"""Tasks that cost nothing, so that what is measured is the engine."""

from __future__ import annotations

import os

from django_agenda import task


@task
def nothing(number: int) -> None:
    """Do nothing."""


@task
def write_down(number: int) -> None:
    """Leave a line in a file that neither the database nor Redis knows."""
    place = os.open(os.environ["AGENDA_BENCH_LEDGER"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(place, f"{number}\n".encode())
    finally:
        os.close(place)
