"""Give each of many executions a moment of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
from django_agenda.tasks.call import is_storable
from django_agenda.timing.aware import aware

from .change import Ids
from .move import move


def reschedule_each(executions: QuerySet[Execution], moments: Mapping[Any, datetime]) -> int:
    """See ExecutionQuerySet.reschedule_each(); those that have ended, or run, are passed over."""
    if not isinstance(moments, Mapping):
        raise TypeError(f"The moments must be a dict by key or id, not {moments!r}")
    wanted = {name: aware(f"moments[{name!r}]", moment) for name, moment in moments.items()}
    return in_transaction(executions.db, partial(_reschedule, executions, wanted))


def _reschedule(executions: QuerySet[Execution], wanted: Mapping[Any, datetime]) -> int:
    found = _find(executions, list(wanted))
    by_id: dict[UUID, datetime] = {}
    for name, moment in wanted.items():
        if name not in found:
            raise ValueError(f"There is no execution with the key or id {name!r}")
        for id_, expires_ms in found[name]:
            _check_end(name, moment, expires_ms)
            by_id[id_] = moment
    ids = Ids(b"".join(id_.bytes for id_ in by_id))
    return move(executions.db, ids, iter(by_id.values()))


Found = dict[Any, list[tuple[UUID, int | None]]]


def _find(executions: QuerySet[Execution], names: list[Any]) -> Found:
    """Return the row of each name; of a key whose executions have all ended, none."""
    found: Found = {}
    keys = [name for name in names if isinstance(name, str) and is_storable(name)]
    for live_key, id_, expires_ms in _rows(executions, "live_key", keys, "pk", "expires_ms"):
        found[live_key] = [(id_, expires_ms)]
    keys = [key for key in keys if key not in found]
    found |= {key: [] for (key,) in _rows(executions, "key", keys)}
    by_id = {id_: name for name in names if name not in found and (id_ := _read_id(name))}
    for id_, expires_ms in _rows(executions, "pk", list(by_id), "expires_ms"):
        found[by_id[id_]] = [(id_, expires_ms)]
    return found


def _rows(
    executions: QuerySet[Execution], field: str, values: list[Any], *more: str
) -> Iterator[tuple[Any, ...]]:
    for chunk in bulk.chunked(values, get_settings().CHUNK_SIZE):
        rows = executions.filter(**{f"{field}__in": chunk}).order_by()
        yield from rows.values_list(field, *more).distinct()


def _read_id(name: Any) -> UUID | None:
    if isinstance(name, Execution):
        return name.pk
    if isinstance(name, UUID):
        return name
    if not isinstance(name, str):
        raise TypeError(f"An execution is named by its key or id, not by {name!r}")
    try:
        return UUID(name)
    except ValueError:
        return None


def _check_end(name: Any, moment: datetime, expires_ms: int | None) -> None:
    try:
        moment + timedelta(milliseconds=expires_ms or 0)
    except OverflowError:
        raise ValueError(f"moments[{name!r}] leads past the year 9999: {moment}") from None
