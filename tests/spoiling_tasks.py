"""Tasks that leave their thread's connection as nobody should."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from django_agenda import task


def _open_transaction() -> None:
    transaction.atomic().__enter__()
    User.objects.create(username="never committed")


def _open_savepoint() -> None:
    transaction.atomic().__enter__()
    transaction.atomic().__enter__()
    User.objects.create(username="never committed")


def _no_autocommit() -> None:
    connection.set_autocommit(False)
    User.objects.create(username="never committed")


def _begun_by_hand() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    User.objects.create(username="never committed")


def _poisoned_transaction() -> None:
    User.objects.create(username="twin")
    transaction.atomic().__enter__()
    with suppress(IntegrityError):
        User.objects.create(username="twin")


def _closed() -> None:
    User.objects.exists()
    connection.close()


def _closed_below() -> None:
    User.objects.exists()
    connection.connection.close()


def _temporary_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE auth_user (id INTEGER)")


def _search_path() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET search_path TO pg_catalog")


def _read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


def _ended_by_the_server() -> None:
    with connection.cursor() as cursor, suppress(Exception):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


WAYS: dict[str, Callable[[], None]] = {
    "open transaction": _open_transaction,
    "open savepoint": _open_savepoint,
    "no autocommit": _no_autocommit,
    "poisoned transaction": _poisoned_transaction,
    "closed": _closed,
    "closed below": _closed_below,
    "temporary table": _temporary_table,
}
ON_POSTGRESQL: dict[str, Callable[[], None]] = {
    "begun by hand": _begun_by_hand,
    "search path": _search_path,
    "read only": _read_only,
    "ended by the server": _ended_by_the_server,
}


@task
def spoil(way: str) -> str:
    (WAYS | ON_POSTGRESQL)[way]()
    return "spoilt"


@task(atomic=True)
def spoil_together(way: str) -> str:
    return str(spoil.function(way))


@task
def make_user(name: str) -> int:
    """Use the connection as any task does."""
    User.objects.create(username=name)
    return User.objects.filter(username=name).count()
