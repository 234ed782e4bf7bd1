"""What goes over the socket between a worker and a process that computes: JSON texts."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from django_agenda.tasks.registry import lookup

from .claim import Claim, Outcome

_MOMENTS = ("started_at", "finished_at", "retry_at")
_NAMES = tuple(field.name for field in fields(Outcome) if field.name != "claim")


def pack_claim(claim: Claim) -> bytes:
    """Return a claim without its task, which the other side knows by its name."""
    values = claim._replace(task=None, due_at=claim.due_at.isoformat())  # type: ignore[arg-type]
    return json.dumps(values).encode()


def unpack_claim(data: bytes) -> Claim:
    """Return the claim; raises UnknownTask."""
    claim = Claim._make(json.loads(data))
    due_at = datetime.fromisoformat(claim.due_at)  # type: ignore[arg-type]
    return claim._replace(task=lookup(claim.task_name), due_at=due_at)


def pack_outcome(outcome: Outcome, *, goes_on: bool) -> bytes:
    """Return an outcome without its claim, and whether that process takes another one."""
    values: dict[str, Any] = {name: getattr(outcome, name) for name in _NAMES}
    return json.dumps([values, goes_on], default=datetime.isoformat).encode()


def unpack_outcome(claim: Claim, data: bytes) -> tuple[Outcome, bool]:
    """Return the outcome of that claim, and whether the process takes another one."""
    values, goes_on = json.loads(data)
    for name in _MOMENTS:
        if values[name] is not None:
            values[name] = datetime.fromisoformat(values[name])
    return Outcome(claim=claim, **values), goes_on
