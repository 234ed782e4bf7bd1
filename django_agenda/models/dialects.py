"""Where the databases differ: how a JSON text becomes rows, and how an update tells what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Hold the quoted parts of one update."""

    table: str
    key: str
    key_name: str
    source: str
    changes: Mapping[str, str]
    change_params: Sequence[Any]
    guard: str
    returning: Sequence[str]
    skip_locked: bool


class Dialect(Protocol):
    """Write the few statements that differ."""

    def source(
        self, connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[str]
    ) -> str:
        """Return a derived table `x` with one %s: the JSON text."""

    def insert(self, table: str, targets: str, select: str, taken: str | None) -> str:
        """Return an insert, of a select with a WHERE, without rows whose column `taken` exists."""

    def update(
        self, cursor: Any, statement: Statement, rows: str, guard_params: list[Any]
    ) -> list[tuple[Any, ...]]:
        """Run the update and return what it changed."""

    def delete(self, table: str, column: str, name: str, source: str) -> str:
        """Return a delete of the rows whose column is one of `x.name`."""

    def clear(self, table: str, column: str, name: str, source: str) -> str:
        """Return an update that empties a column where it is one of `x.name`."""

    locking: str
    """What locks the rows `e` of a select, without waiting for those that are locked."""


class _Returning:
    """Update and tell in one statement (PostgreSQL, SQLite from 3.35)."""

    returned = "e."

    def delete(self, table: str, column: str, name: str, source: str) -> str:
        return f"DELETE FROM {table} WHERE {column} IN (SELECT x.{name} FROM {source})"

    def clear(self, table: str, column: str, name: str, source: str) -> str:
        # A partial index is only taken when its condition is written down.
        return (
            f"UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL"
            f" AND {column} IN (SELECT x.{name} FROM {source})"
        )

    def insert(self, table: str, targets: str, select: str, taken: str | None) -> str:
        # Without the WHERE of the select SQLite would read ON CONFLICT as a join condition.
        conflict = f" ON CONFLICT ({taken}) DO NOTHING" if taken else ""
        return f"INSERT INTO {table} ({targets}) {select}{conflict}"

    def update(
        self, cursor: Any, statement: Statement, rows: str, guard_params: list[Any]
    ) -> list[tuple[Any, ...]]:
        changes = ", ".join(f"{name} = {sql}" for name, sql in statement.changes.items())
        returning = ", ".join(f"{self.returned}{name}" for name in statement.returning)
        # The CASE hides the guard from the planner: with the stale statistics that follow a big
        # scatter it would choose the index on the status, and read all of it.
        cursor.execute(
            f"UPDATE {statement.table} AS e SET {changes} FROM {statement.source}"
            f" WHERE e.{statement.key} = x.{statement.key_name}"
            f" AND CASE WHEN {statement.guard} THEN 1 ELSE 0 END = 1"
            f" RETURNING {returning}",
            [*statement.change_params, rows, *guard_params],
        )
        return list(cursor.fetchall())


class PostgreSQL(_Returning):
    """PostgreSQL 14 and later."""

    locking = "FOR UPDATE OF e SKIP LOCKED"

    def source(
        self, connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[str]
    ) -> str:
        picked = ", ".join(
            f"(r->>{place})::{_type(connection, model, name)} AS {_quote(connection, name)}"
            for place, name in enumerate(columns)
        )
        return f"(SELECT {picked} FROM jsonb_array_elements(%s::jsonb) AS r) AS x"


class SQLite(_Returning):
    """SQLite 3.35 and later."""

    returned = ""
    locking = ""  # who writes has the whole database

    def source(
        self, connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[str]
    ) -> str:
        picked = ", ".join(
            f"json_extract(value, '$[{place}]') AS {_quote(connection, name)}"
            for place, name in enumerate(columns)
        )
        return f"(SELECT {picked} FROM json_each(%s)) AS x"


class MariaDB:
    """MariaDB 10.6 and MySQL 8.0 and later: lock, change, then read."""

    locking = "FOR UPDATE SKIP LOCKED"

    def delete(self, table: str, column: str, name: str, source: str) -> str:
        return f"DELETE e FROM {table} AS e JOIN {source} ON e.{column} = x.{name}"

    def clear(self, table: str, column: str, name: str, source: str) -> str:
        joined = f"{table} AS e JOIN {source} ON e.{column} = x.{name}"
        return f"UPDATE {joined} SET e.{column} = NULL"

    def source(
        self, connection: BaseDatabaseWrapper, model: type[models.Model], columns: Sequence[str]
    ) -> str:
        picked = ", ".join(
            f"{_quote(connection, name)} {_type(connection, model, name)} PATH '$[{place}]'"
            for place, name in enumerate(columns)
        )
        return f"JSON_TABLE(%s, '$[*]' COLUMNS ({picked})) AS x"

    def insert(self, table: str, targets: str, select: str, taken: str | None) -> str:
        conflict = f" ON DUPLICATE KEY UPDATE {table}.{taken} = {table}.{taken}" if taken else ""
        return f"INSERT INTO {table} ({targets}) {select}{conflict}"

    def update(
        self, cursor: Any, statement: Statement, rows: str, guard_params: list[Any]
    ) -> list[tuple[Any, ...]]:
        key, table = statement.key, statement.table
        joined = f"{table} AS e JOIN {statement.source} ON e.{key} = x.{statement.key_name}"
        lock = "FOR UPDATE SKIP LOCKED" if statement.skip_locked else "FOR UPDATE"
        # The CASE as above: by the index on the status it would lock rows that are not asked for.
        cursor.execute(
            f"SELECT e.{key} FROM {joined}"
            f" WHERE CASE WHEN {statement.guard} THEN 1 ELSE 0 END = 1 ORDER BY e.{key} {lock}",
            [rows, *guard_params],
        )
        locked = [row[0] for row in cursor.fetchall()]
        if not locked:
            return []
        changes = ", ".join(f"e.{name} = {sql}" for name, sql in statement.changes.items())
        marks = ", ".join(["%s"] * len(locked))
        # By the key of `x`: by that of `e` it would visit, and lock, every row of the parameter.
        given = [one if isinstance(one, int) else str(one).replace("-", "") for one in locked]
        cursor.execute(
            f"UPDATE {joined} SET {changes} WHERE x.{statement.key_name} IN ({marks})",
            [rows, *statement.change_params, *given],
        )
        returning = ", ".join(statement.returning)
        cursor.execute(f"SELECT {returning} FROM {table} WHERE {key} IN ({marks})", locked)
        return list(cursor.fetchall())


_DIALECTS: dict[str, Dialect] = {
    "postgresql": PostgreSQL(),
    "sqlite": SQLite(),
    "mysql": MariaDB(),
}


def dialect_for(connection: BaseDatabaseWrapper) -> Dialect:
    """Return the dialect of a connection, or raise ImproperlyConfigured naming its vendor."""
    try:
        return _DIALECTS[connection.vendor]
    except KeyError:
        raise ImproperlyConfigured(
            f"django_agenda runs on SQLite, PostgreSQL, MariaDB and MySQL, not on"
            f" {connection.vendor!r}."
        ) from None


def _quote(connection: BaseDatabaseWrapper, name: str) -> str:
    return connection.ops.quote_name(name)


def _type(connection: BaseDatabaseWrapper, model: type[models.Model], name: str) -> str:
    field = cast("models.Field[Any, Any]", model._meta.get_field(name))
    kind = field.rel_db_type(connection) if field.primary_key else field.db_type(connection)
    if connection.vendor == "mysql" and kind == "uuid":
        return "char(36)"  # JSON_TABLE knows no uuid columns
    return str(kind)
