"""Rows of which only some columns are known yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


def unread(model: type[M], using: str, values: Mapping[str, Any]) -> M:
    """Return a row with these columns, without a statement; the others are read when used."""
    names = [field.attname for field in model._meta.concrete_fields if field.attname in values]
    return model.from_db(using, names, [values[name] for name in names])
