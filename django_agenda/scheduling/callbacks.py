"""Schedule what a batch calls when it succeeds, first fails, or is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import transaction

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.exceptions import UnknownTask
from django_agenda.models.batch import Batch
from django_agenda.models.counters import BatchState
from django_agenda.models.unread import unread
from django_agenda.signals import batch_finished
from django_agenda.tasks.registry import lookup

from .breaker import trip
from .write import Plan, Runnable, write

SUCCESS, FAILURE, COMPLETE = 1, 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Stand for a task that this process does not know; a worker that does will run it."""

    name: str
    queue_name: str = "default"
    priority: int = 0
    max_attempts: int = 1
    expires: timedelta | None = None


def fire(using: str, states: Sequence[BatchState]) -> list[Entry]:
    """Write the callbacks that these batches now owe, each at most once in a batch's life.

    Must run in the transaction that changed the counts, which holds the batches' locks. Returns
    what is to be enqueued after the commit, at which `batch_finished` is sent as well. Pauses
    those whose `max_failures` is reached.
    """
    trip(using, states)
    entries: list[Entry] = []
    if finished := [state for state in states if state.is_finished]:
        transaction.on_commit(partial(_announce, using, finished), using=using)
    for state in states:
        owed = _owed(state)
        if not owed:
            continue
        plans = [_plan(name, state.id) for name in owed.values()]
        written = write(using, plans, callback_of=state.id)
        fired = state.callbacks_fired | sum(owed)
        Batch.objects.using(using).filter(pk=state.id).update(callbacks_fired=fired)
        entries += [
            Entry(id_, plan.task.queue_name, due_ms(plan.due_at), plan.task.priority)
            for id_, plan in zip(written.ids, plans, strict=True)
            if id_ not in written.held
        ]
    return entries


def _announce(using: str, states: Sequence[BatchState]) -> None:
    for state in states:
        batch = unread(Batch, using, {"id": state.id})
        batch_finished.send_robust(Batch, batch=batch, batch_id=state.id, status=state.status)


def _owed(state: BatchState) -> dict[int, str]:
    happened = {
        SUCCESS: state.is_finished and state.status == Batch.Status.SUCCEEDED,
        FAILURE: state.failed + state.missed > 0,
        COMPLETE: state.is_finished,
    }
    names = {SUCCESS: state.on_success, FAILURE: state.on_failure, COMPLETE: state.on_complete}
    return {
        bit: names[bit]
        for bit, did in happened.items()
        if did and names[bit] and not state.callbacks_fired & bit
    }


def _plan(name: str, batch_id: int) -> Plan:
    task: Runnable
    try:
        task = lookup(name)
    except UnknownTask:
        task = Stranger(name=name)
    return Plan(task, f"[{batch_id}]", "{}", None, "", now())
