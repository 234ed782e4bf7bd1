"""Give the slots of limits that are free to those that wait for them.

The executions that run are the slots: a gate keeps no count that could go wrong, and what a dead
worker had is free as soon as its rows no longer run. Whoever counts or changes them has the gate's
row locked, so nobody ever sees a slot that another is taking.

    claim           no free slot: the row is held by NO_SLOT, and the gate is waited for
    outcome, rescue a slot is free: the first in line is let in, in the same transaction
    let in          an ordinary row that is due; its slot is kept for it for RESERVED
    claim           judges it again, so nothing depends on the slot having been kept

What frees a slot elsewhere (a cancelled reservation, a process that died between two steps) is
found by the caretaker, which looks at the gates that are waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connections
from django.db.models import Count, Q, QuerySet, Value

from django_agenda.broker.entry import Entry
from django_agenda.clock import now
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.gate import Gate
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.transactions import in_transaction

from .enqueue import tell
from .gates import locked
from .hold import WAITING, entry_of_row

# How long a slot is kept for one that was let in and that nobody claims.
RESERVED = timedelta(seconds=10)
# Claims are made a little ahead of the moment.
SOON = timedelta(seconds=1)
_MOST_GATES = 100


class InLine(NamedTuple):
    """Hold one that waits for a slot, as it is sorted: the first of all is let in first."""

    urgency: int
    due_at: float
    id: str


def let_in(using: str, gates: Collection[str]) -> list[Entry]:
    """Let in as many of those in line as there are free slots; return what is to be enqueued.

    Must run in a transaction, before counts of batches are changed.
    """
    return let_in_locked(using, list(locked(using, gates)))


def let_in_locked(using: str, gates: Collection[Gate]) -> list[Entry]:
    """See let_in()."""
    sizes = {gate.pk: gate.size for gate in gates if gate.waiting_since is not None}
    if not sizes:
        return []
    taken = busy(using, list(sizes))
    first: list[str] = []
    for gate, size in sizes.items():
        free = size - taken.get(gate.hex, 0)
        if free > 0:
            found = [one.id for one in in_line(using, gate, free)]
            first += found
            if len(found) < free:
                _end_waiting(using, gate, found)
    return admit(using, first)


def let_all_in(using: str) -> int:
    """Do so for every gate that is waited for; return how many were let in."""
    gates = Gate.objects.using(using).filter(waiting_since__isnull=False)
    ids = [id_.hex for id_ in gates.order_by("waiting_since").values_list("pk", flat=True)]
    count = 0
    for page in bulk.chunked(ids, _MOST_GATES):
        entries = in_transaction(using, partial(let_in, using, page))
        tell([], entries)
        count += len(entries)
    return count


def busy(using: str, gates: Sequence[UUID], apart_from: Sequence[str] = ()) -> Mapping[str, int]:
    """Count the slots of locked gates that are taken or kept, apart from those of these rows."""
    kept = Q(status__in=Execution.WAITING, held_at__gt=now() - RESERVED)
    rows = Execution.objects.using(using).filter(
        kept | Q(status=Execution.Status.RUNNING), gate__in=gates, held_by=""
    )
    if apart_from:
        rows = rows.exclude(pk__in=[UUID(id_) for id_ in apart_from])
    found = rows.order_by().values_list("gate").annotate(count=Count("*"))
    return {gate.hex: count for gate, count in found}


def in_line(using: str, gate: UUID, count: int) -> list[InLine]:
    """Return the first that wait for a slot of a locked gate."""
    paused = PausedQueue.objects.using(using).values("name")
    moment = now()
    # It may have been given another moment since, or have expired: no claim would take it.
    unexpired = Q(expires_at=None) | Q(expires_at__gte=moment)
    due = _waiting(using, gate).filter(unexpired, due_at__lte=moment + SOON)
    rows = due.exclude(queue_name__in=paused)
    found = rows.order_by("-priority", "due_at", "pk").values_list("pk", "priority", "due_at")
    return [
        InLine(-priority, due_at.timestamp(), id_.hex) for id_, priority, due_at in found[:count]
    ]


def admit(using: str, ids: Sequence[str]) -> list[Entry]:
    """Keep a slot for each of these, which are in line; return what is to be enqueued."""
    if not ids:
        return []
    rows = bulk.update(
        using,
        Execution,
        ("id",),
        [[id_] for id_ in sorted(ids)],
        changes={
            "held_by": "''",
            "held_at": Value(bulk.moment_text(now(), connections[using])),
        },
        guard=f"{WAITING} AND e.held_by = '{Execution.NO_SLOT}'",
        returning=("id", "queue_name", "due_at", "priority"),
    )
    return [entry_of_row(using, row) for row in rows]


def _waiting(using: str, gate: UUID) -> QuerySet[Execution]:
    return Execution.objects.using(using).filter(gate=gate, held_by=Execution.NO_SLOT)


def _end_waiting(using: str, gate: UUID, let_in: Sequence[str]) -> None:
    """Say that nobody waits any more, unless somebody does in a paused queue, or for later."""
    others = _waiting(using, gate).exclude(pk__in=[UUID(id_) for id_ in let_in])
    if not others.exists():
        Gate.objects.using(using).filter(pk=gate).update(waiting_since=None)
