"""What goes over the socket between a worker and a process that computes: JSON texts."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django_agenda.broker.entry import Entry
from django_agenda.models.worker import Worker
from django_agenda.scheduling.leave import Start
from django_agenda.tasks.context import Wish
from django_agenda.tasks.reached import Reached
from django_agenda.tasks.registry import lookup

from .claim import Claim, Outcome, Recorded, on_terms
from .lease import Lease

_MOMENTS = ("started_at", "finished_at", "retry_at")
_NAMES = tuple(field.name for field in fields(Outcome) if field.name not in ("claim", "recorded"))


def pack_claim(claim: Claim) -> bytes:
    """Return a claim without its task, which the other side knows by its name."""
    worker = claim.lease.worker
    bare: Any = claim._replace(task=None, lease=None)  # type: ignore[arg-type]
    return json.dumps([bare, worker.pk.hex, worker.name], default=datetime.isoformat).encode()


def unpack_claim(data: bytes) -> Claim:
    """Return the claim; whoever sent it has looked whether its lease is to be trusted."""
    bare, worker, name = json.loads(data)
    claim = Claim._make(bare)
    return claim._replace(
        task=on_terms(lookup(claim.task_name), claim.terms),
        lease=Lease(Worker(pk=UUID(worker), name=name)),
        due_at=datetime.fromisoformat(claim.due_at),  # type: ignore[arg-type]
        # Processes of one machine have one monotonic clock: a body may still be too late there.
        start=None if claim.start is None else Start._make(claim.start),
    )


def pack_outcome(outcome: Outcome, *, goes_on: bool) -> bytes:
    """Return an outcome without its claim, and whether that process takes another one."""
    values: dict[str, Any] = {name: getattr(outcome, name) for name in _NAMES}
    recorded = outcome.recorded
    if recorded is not None:
        recorded = [sorted(recorded.taken), recorded.entries, sorted(recorded.cancelled)]  # type: ignore[assignment]
    return json.dumps([values, recorded, goes_on], default=datetime.isoformat).encode()


def unpack_outcome(claim: Claim, data: bytes) -> tuple[Outcome, bool]:
    """Return the outcome of that claim, and whether the process takes another one."""
    values, recorded, goes_on = json.loads(data)
    for name in _MOMENTS:
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    if (wish := values["wish"]) is not None:
        args, kwargs, at, stops = wish
        at = None if at is None else datetime.fromisoformat(at)
        values["wish"] = Wish(args, kwargs, at, stops)
    if (reached := values["reached"]) is not None:
        values["reached"] = Reached._make(reached)
    if recorded is not None:
        taken, entries, cancelled = recorded
        recorded = Recorded(set(taken), [Entry(*one) for one in entries], set(cancelled))
    return Outcome(claim=claim, recorded=recorded, **values), goes_on


def pack_reached(reached: Reached) -> bytes:
    """Return how far a body is."""
    return json.dumps(reached).encode()


def unpack_reached(data: bytes) -> Reached:
    """Return how far a body is."""
    return Reached._make(json.loads(data))
