"""Columns that Django has not: decoded payloads, labels, exact text, sparse indexes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from django_agenda.tasks.payload import decode, encode_result


class PayloadField(models.TextField):  # type: ignore[type-arg]
    """Keep a JSON value as text and give it back decoded.

    Text and not jsonb, because jsonb changes floats (1e22, -0.0).
    """

    def from_db_value(self, value: str | None, *_: object) -> Any:
        """Decode what the column holds; see payload.decode."""
        return None if value is None else decode(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Encode for storing and for exact look-ups; None is NULL."""
        return None if value is None else encode_result(value)


class LabelsField(models.TextField):  # type: ignore[type-arg]
    """Keep a list of words as one JSON text; no labels are an empty text."""

    def from_db_value(self, value: str | None, *_: object) -> list[str]:
        """Return the labels in the order in which they were given."""
        return json.loads(value) if value else []

    def get_prep_value(self, value: Any) -> str:
        """Encode a sequence of words; text is taken as it stands, for look-ups."""
        if isinstance(value, str):
            return value
        return json.dumps(list(value), ensure_ascii=False) if value else ""


class ExactCharField(models.CharField):  # type: ignore[type-arg]
    """Compare letter by letter on every database.

    MariaDB and MySQL otherwise take "Ann" and "ann" for one key, and "ann " as well.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Add the binary collation where the database's default is not exact."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            maria = getattr(connection, "mysql_is_mariadb", False)
            parameters["collation"] = "utf8mb4_nopad_bin" if maria else "utf8mb4_0900_bin"
        return parameters


class SparseIndex(models.Index):
    """Index only the rows that matter where the database can, and all rows elsewhere."""

    def __init__(self, *fields: str, name: str, where: models.Q) -> None:
        super().__init__(*fields, name=name)
        self.fields = list(fields)
        self.fields_orders = [
            (field.removeprefix("-"), "DESC" if field.startswith("-") else "") for field in fields
        ]
        self.expressions = ()
        self.where = where

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        """Return what a migration writes down."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, tuple(self.fields), {"name": self.name, "where": self.where}

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Any:
        """Build a partial index, or a whole one where there are none (MariaDB, MySQL)."""
        partial = schema_editor.connection.features.supports_partial_indexes
        self.condition = self.where if partial else None
        try:
            return super().create_sql(model, schema_editor, using, **kwargs)
        finally:
            self.condition = None


class SparseUnique(models.UniqueConstraint):
    """Let values occur once, in an index of only the rows that matter where the database can.

    The rows that do not matter must have a NULL in it, because elsewhere all are indexed.
    """

    def __init__(self, *fields: str, name: str, where: models.Q) -> None:
        super().__init__(fields=fields, name=name)
        self.where = where

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        """Return what a migration writes down."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, tuple(self.fields), {"name": self.name, "where": self.where}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SparseUnique):
            return self.deconstruct() == other.deconstruct()
        return NotImplemented

    __hash__ = models.UniqueConstraint.__hash__

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """See create_sql()."""
        with self._partial(schema_editor):
            return super().constraint_sql(model, schema_editor)

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """Build a partial index, or a whole one where there are none (MariaDB, MySQL)."""
        with self._partial(schema_editor):
            return super().create_sql(model, schema_editor)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        """See create_sql()."""
        with self._partial(schema_editor):
            return super().remove_sql(model, schema_editor)

    @contextmanager
    def _partial(self, schema_editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
        can = schema_editor.connection.features.supports_partial_indexes
        self.condition = self.where if can else None
        try:
            yield
        finally:
            self.condition = None
