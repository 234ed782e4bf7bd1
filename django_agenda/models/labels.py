"""Find rows by the labels that they carry, and name the label of a row of a project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from django_agenda.tasks.call import is_storable

Q = TypeVar("Q", bound="QuerySet[Any]")


def label_of(row: Model) -> str:
    """Return the label that says that a batch is about this row: "shop.mailing:42".

    Raises ValueError for a row that is not saved, which has no primary key yet.
    """
    if row.pk is None:
        raise ValueError(f"{row!r} is not saved, so no label can stand for it")
    return f"{row._meta.label_lower}:{row.pk}"


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
