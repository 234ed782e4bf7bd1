"""Tables of which no model is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_agenda.models import bulk
from django_agenda.tasks.task import QUEUE_NAME

from .found import CannotCarry

Row = dict[str, Any]


def has_table(connection: BaseDatabaseWrapper, table: str) -> bool:
    """Tell whether the database has it."""
    return table in connection.introspection.table_names()


def rows_of(connection: BaseDatabaseWrapper, table: str) -> Iterator[Row]:
    """Give the rows of a table, by name of column, in the order of their ids."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {quote(table)} ORDER BY {quote('id')}")  # noqa: S608
        names = [column[0] for column in cursor.description]
        found = cursor.fetchall()
    for values in found:
        yield dict(zip(names, values, strict=True))


def moment_of(connection: BaseDatabaseWrapper, value: Any) -> datetime | None:
    """Return a moment as it came from a raw cursor, aware."""
    return None if value is None else bulk.read_moment(value, connection)


def json_of(column: str, text: str | None, kind: type[list[Any] | dict[str, Any]]) -> Any:
    """Return a list or an object of JSON; an empty text is an empty one."""
    try:
        value = json.loads(text or "null")
    except ValueError:
        raise CannotCarry(f"its {column} are no JSON: {text!r:.100}") from None
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise CannotCarry(f"its {column} are no {kind.__name__}: {text!r:.100}")
    return value


def queue_of(name: str | None, notes: list[str]) -> str | None:
    """Return a queue's name if it can be one here."""
    if not name:
        return None
    if QUEUE_NAME.fullmatch(name):
        return name
    notes.append(f"its queue {name!r} cannot be a name here, so the task's own is used")
    return None
