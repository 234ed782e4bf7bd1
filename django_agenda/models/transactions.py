"""Transactions that begin again when the database chose them as the victim of a deadlock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, transaction

R = TypeVar("R")

MAX_TRIES = 10
LONGEST_PAUSE = 0.05

_MARIADB_DEADLOCK, _MARIADB_LOCK_TIMEOUT = 1213, 1205
_POSTGRESQL_STATES = ("40P01", "40001")


def in_transaction(using: str, work: Callable[[], R]) -> R:
    """Return what `work` returns, done in one transaction, again if need be.

    Inside a transaction of the caller it is tried once: only the caller can begin that one anew.
    """
    if transaction.get_connection(using).in_atomic_block:
        with transaction.atomic(using):
            return work()
    for _ in range(MAX_TRIES - 1):
        try:
            with transaction.atomic(using):
                return work()
        except OperationalError as error:
            if not is_deadlock(error):
                raise
        threading.Event().wait(random.uniform(0, LONGEST_PAUSE))
    with transaction.atomic(using):
        return work()


def is_deadlock(error: OperationalError) -> bool:
    """Tell whether the database gave up this transaction for the sake of another one."""
    state = getattr(error.__cause__, "sqlstate", None)
    code = error.args[0] if error.args else None
    return state in _POSTGRESQL_STATES or code in (_MARIADB_DEADLOCK, _MARIADB_LOCK_TIMEOUT)
