"""Transactions that begin again when the database chose them as the victim of a deadlock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from django.db import OperationalError, transaction
from django.db.models import QuerySet

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


@contextmanager
def one_snapshot(using: str) -> Iterator[None]:
    """Let all statements see the rows as they are at the first of them; for reading only.

    Inside a transaction of the caller it is for that one to say what they see.
    """
    connection: Any = transaction.get_connection(using)
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "mysql":
        _ask_for_snapshot(connection)  # of the transaction that is next
    with _reading(connection), transaction.atomic(using):
        if connection.vendor == "postgresql":
            _ask_for_snapshot(connection)
        yield


def _ask_for_snapshot(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


@contextmanager
def _reading(connection: Any) -> Iterator[None]:
    """Begin no transaction that would lock out all writers, as projects ask for on SQLite."""
    if connection.vendor != "sqlite":
        yield
        return
    mode, connection.transaction_mode = connection.transaction_mode, None
    try:
        yield
    finally:
        connection.transaction_mode = mode


def update_again(rows: QuerySet[Any], **changes: Any) -> int:
    """Return `rows.update(**changes)`, again if need be."""
    return in_transaction(rows.db, partial(rows.update, **changes))


def is_deadlock(error: OperationalError) -> bool:
    """Tell whether the database gave up this transaction for the sake of another one."""
    state = getattr(error.__cause__, "sqlstate", None)
    code = error.args[0] if error.args else None
    return state in _POSTGRESQL_STATES or code in (_MARIADB_DEADLOCK, _MARIADB_LOCK_TIMEOUT)
