"""Find rows by the labels that they carry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from django_agenda.tasks.call import is_storable

Q = TypeVar("Q", bound="QuerySet[Any]")


def having_labels(rows: Q, labels: Sequence[str]) -> Q:
    """Keep the rows that carry every one of these labels."""
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"A label must be a text, not {label!r}")
        if not is_storable(label):
            raise ValueError(f"No label holds a NUL or half of a surrogate pair: {label!r}")
        text = json.dumps(label, ensure_ascii=False)
        # SQLite's LIKE ignores the case of letters, and so does MariaDB's INSTR; both together
        # are exact everywhere.
        rows = rows.filter(GreaterThan(StrIndex("labels", Value(text)), 0), labels__contains=text)
    return rows
