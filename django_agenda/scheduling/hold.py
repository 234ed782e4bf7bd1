"""Hold what comes to wait in a paused batch.

Whoever moves a status changes the batch's counts last, which locks the batch and tells whether it
is paused. So a pause needs to write one row only, and from its commit on nothing of that batch is
started: a claim that comes later sees it under the lock, and puts back what it took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Value

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.models import bulk
from django_agenda.models.counters import BatchState
from django_agenda.models.execution import Execution

WAITING = "e.status IN ('scheduled', 'pending')"
UNHELD = f"e.held_by IN {Execution.UNASKED}"


class Released(NamedTuple):
    """Hold a row that waits for its moment again."""

    batch_id: int | None
    position: int
    status: str
    entry: Entry


def hold_members(
    using: str, states: Sequence[BatchState], waiting: Mapping[str, int | None]
) -> set[str]:
    """Hold those of these rows, given with their batches, whose batch is paused; return them.

    Must follow the counters.apply() that returned the states, in its transaction.
    """
    paused = {state.id for state in states if state.is_paused}
    ids = sorted(id_ for id_, batch_id in waiting.items() if batch_id in paused)
    if ids:
        hold(using, ids, Execution.BATCH_PAUSED)
    return set(ids)


def hold(using: str, ids: Sequence[str], reason: str, guard: str = UNHELD) -> list[tuple[str, str]]:
    """Hold those of these that wait; return what is to be withdrawn, as (id, queue name)."""
    rows = bulk.update(
        using,
        Execution,
        ("id",),
        [[id_] for id_ in sorted(ids)],
        changes={"held_by": Value(reason)},
        guard=f"{WAITING} AND {guard}",
        returning=("id", "queue_name"),
    )
    return [(bulk.read_id(row[0]), row[1]) for row in rows]


def release(using: str, ids: Sequence[str], reason: str) -> list[Released]:
    """Let go of those of these that are held for that reason."""
    rows = bulk.update(
        using,
        Execution,
        ("id",),
        [[id_] for id_ in sorted(ids)],
        # Whatever slot was kept for it has been given to another one.
        changes={"held_by": "''", "gate": "NULL"},
        guard=f"{WAITING} AND e.held_by = %s",
        guard_params=[reason],
        returning=("batch", "position", "status", "id", "queue_name", "due_at", "priority"),
    )
    return [Released(row[0], row[1], row[2], entry_of_row(using, row[3:])) for row in rows]


def entry_of_row(using: str, row: tuple[Any, ...]) -> Entry:
    """Return what the broker keeps of a row of id, queue name, moment and priority."""
    moment = bulk.read_moment(row[2], connections[using])
    return Entry(bulk.read_id(row[0]), row[1], due_ms(moment), row[3])
