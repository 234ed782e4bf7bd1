"""The worker's own connection: apart from those of the bodies, and never waiting without end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from django.db import Error, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import load_backend
from django.utils.connection import ConnectionDoesNotExist

from django_agenda.conf import get_settings

SUFFIX = ":agenda"
CONNECT_TIMEOUT = 5


class Control:
    """Give each thread that opens it a connection named `alias`, to the database `using`.

    The alias is not in settings.DATABASES: nothing that walks through `connections` meets it. A
    body that leaves its own connection in a transaction, or with another search path, does not
    touch it. It stays open between statements, and the server ends what takes too long.
    """

    def __init__(self, using: str) -> None:
        connection = connections[using]
        # A database in memory is shared by nobody but its own alias.
        self.is_apart = connection.vendor != "sqlite" or not connection.is_in_memory_db()  # type: ignore[attr-defined]
        self.alias = f"{using}{SUFFIX}" if self.is_apart else using
        self._settings = _derived(connection)
        connection_created.connect(_limit, dispatch_uid=_limit.__name__)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Make the alias known in this thread; opening it again changes nothing."""
        if self.is_apart and self._mine() is None:
            backend = load_backend(str(self._settings["ENGINE"]))
            connections[self.alias] = backend.DatabaseWrapper(dict(self._settings), self.alias)

    def refresh(self) -> None:
        """Close what is broken in this thread, so that the next statement connects anew."""
        mine = self._mine()
        # Some drivers complain when what the server has ended is closed.
        with suppress(Error):
            close_old_connections()
        if mine is not None:
            with suppress(Error):
                mine.close_if_unusable_or_obsolete()

    def close(self) -> None:
        """Close every connection of this thread."""
        mine = self._mine()
        if mine is not None:
            with suppress(Error):
                mine.close()
            del connections[self.alias]
        with suppress(Error):
            connections.close_all()

    def _mine(self) -> BaseDatabaseWrapper | None:
        if not self.is_apart:
            return None
        try:
            return connections[self.alias]
        except ConnectionDoesNotExist:
            return None


def _derived(connection: BaseDatabaseWrapper) -> Mapping[str, Any]:
    given = connection.settings_dict
    options = {name: value for name, value in given["OPTIONS"].items() if name != "pool"}
    if connection.vendor == "postgresql":
        options.setdefault("connect_timeout", CONNECT_TIMEOUT)
        # Behind a pooler of transactions a session's settings would become other people's.
        if not given.get("DISABLE_SERVER_SIDE_CURSORS"):
            options["options"] = f"{options.get('options', '')} {_postgresql_limits()}".strip()
    elif connection.vendor == "mysql":
        options.setdefault("connect_timeout", CONNECT_TIMEOUT)
    else:
        options["timeout"] = _seconds()[0]
    return {
        **given,
        "OPTIONS": options,
        "AUTOCOMMIT": True,
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
    }


def _seconds() -> tuple[float, float]:
    settings = get_settings()
    return settings.STATEMENT_TIMEOUT.total_seconds(), settings.LOCK_TIMEOUT.total_seconds()


def _postgresql_limits() -> str:
    statement, lock = (round(seconds * 1000) for seconds in _seconds())
    limits = {
        "statement_timeout": statement,
        "lock_timeout": lock,
        "idle_in_transaction_session_timeout": statement,
    }
    return " ".join(f"-c {name}={value}" for name, value in limits.items())


def _limit(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Tell MariaDB and MySQL, which take no such options at the connect."""
    if connection.vendor != "mysql" or not connection.alias.endswith(SUFFIX):
        return
    statement, lock = _seconds()
    limits = {"innodb_lock_wait_timeout": max(1, round(lock))}
    if connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        limits |= {
            "max_statement_time": max(1, round(statement)),
            "idle_transaction_timeout": max(1, round(statement)),
        }
    else:
        limits["max_execution_time"] = round(statement * 1000)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION " + ", ".join(f"{name} = {limits[name]}" for name in limits))
