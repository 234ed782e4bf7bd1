"""Tell whoever fires ticks that one may be due earlier than it knows."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction

from django_agenda.broker import broker
from django_agenda.exceptions import BrokerUnavailable


def wake_after_commit(using: str) -> None:
    """Wake it once the running transaction has been committed, or at once without one."""
    transaction.on_commit(_wake, using=using)


def _wake() -> None:
    # It looks by itself every few seconds.
    with suppress(BrokerUnavailable):
        broker.wake_for_schedules()
