"""Tasks that cost nothing, so that what is measured is the engine."""

from __future__ import annotations

from django_agenda import task


@task
def nothing(number: int) -> None:
    """Do nothing."""
