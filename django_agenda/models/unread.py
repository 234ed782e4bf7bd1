"""Rows of which only some columns are known yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


def unread(model: type[M], using: str, values: Mapping[str, Any]) -> M:
    """Return a row with these columns, without a statement; the others are read when used."""
    names = [field.attname for field in model._meta.concrete_fields if field.attname in values]
    return model.from_db(using, names, [values[name] for name in names])


def read_rows(rows: models.QuerySet[M], *payload: str) -> list[M]:
    """Return rows, and those whose `payload` cannot be decoded without it.

    A newer version, which was taken back, or a hand may have written it. Whoever asks such a row
    for these columns gets the ValueError of payload.decode(); the other rows are whole.
    """
    try:
        return list(rows)
    except ValueError:
        found = list(rows.defer(*payload))
    for row in found:
        with suppress(ValueError):
            row.refresh_from_db(fields=payload)
    return found
