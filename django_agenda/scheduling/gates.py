"""Lock the gates that calls have to pass, and make those that are not there yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections
from django.db.models import Q

from django_agenda.clock import now
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


def prune_gates(using: str, *, limit: int) -> int:
    """Delete gates that nobody has used for a day, and that nothing refers to."""
    old = Gate.objects.using(using).filter(used_at__lt=now() - KEPT_FOR, waiting_since=None)
    ids = list(old.order_by("used_at").values_list("pk", flat=True)[:limit])
    if not ids:
        return 0
    live = Execution.objects.using(using).filter(Q(gate__in=ids), status__in=Execution.LIVE)
    free = set(ids) - set(live.order_by().values_list("gate", flat=True).distinct())
    return old.filter(pk__in=free).delete()[0]


def _lock(using: str, ids: Collection[str]) -> dict[str, Locked]:
    rows: Sequence[tuple[Any, ...]] = list(
        Gate.objects.using(using)
        .filter(pk__in=[UUID(id_) for id_ in ids])
        .order_by("pk")
        .select_for_update()
        .values_list("pk", "size", "waiting_since", "state", "used_at")
    )
    return {row[0].hex: Locked._make(row) for row in rows}
