"""Lock the gates that calls have to pass, and make those that are not there yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections
from django.db.models import QuerySet

from django_agenda.clock import now, unix_ms
from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.gate import Gate
from django_agenda.tasks.gates import Key

# How exact `used_at` is, and how long a gate is kept that nobody uses.
USED_EVERY = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)


class Locked(NamedTuple):
    """Hold a gate as it stands; nobody else changes it until the commit."""

    id: UUID
    size: int
    waiting_since: datetime | None
    state: Any
    used_at: datetime


def lock(using: str, keys: Mapping[str, Key]) -> dict[str, Locked]:
    """Return these gates by id, locked in the order of their ids."""
    found = _lock(using, keys)
    # Again, should one be pruned in between.
    while missing := [key for id_, key in sorted(keys.items()) if id_ not in found]:
        columns = ("id", "kind", "task_name", "label")
        rows = [[key.id, key.kind, key.task_name, key.label] for key in missing]
        fixed = {"size": 0, "used_at": bulk.moment_text(now(), connections[using])}
        bulk.insert(using, Gate, columns, rows, constants=fixed, unless_taken="id")
        found |= _lock(using, [key.id for key in missing])
    return found


def locked(using: str, ids: Collection[str]) -> QuerySet[Gate]:
    """Return those of these gates that there are, locked in the one order that all keep."""
    wanted = [UUID(id_) for id_ in ids]
    return Gate.objects.using(using).filter(pk__in=wanted).order_by("pk").select_for_update()


def prune_gates(using: str) -> int:
    """Delete gates that are not used any more; return how many.

    Nobody has used them for a day, no living execution names them, and what they remember is over.
    """
    old = Gate.objects.using(using).filter(used_at__lt=now() - KEPT_FOR, waiting_since=None)
    count, after = 0, UUID(int=0)
    while page := list(old.filter(pk__gt=after).order_by("pk")[: get_settings().CHUNK_SIZE]):
        after = page[-1].pk
        moment_us = unix_ms() * 1000
        ids = [one.pk for one in page if not one.state or one.state["until"] < moment_us]
        live = Execution.objects.using(using).filter(gate__in=ids, status__in=Execution.LIVE)
        named = live.order_by().values_list("gate", flat=True).distinct()
        count += old.filter(pk__in=set(ids).difference(named)).delete()[0]
    return count


def _lock(using: str, ids: Collection[str]) -> dict[str, Locked]:
    columns = Locked._fields
    rows = locked(using, ids).values_list("pk", *columns[1:])
    return {row[0].hex: Locked._make(row) for row in rows}
