"""Claims and outcomes by hand, at moments of the test's choice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django_agenda.clock import monotonic, now
from django_agenda.models import Execution, Worker
from django_agenda.worker.claim import Claim, Outcome
from django_agenda.worker.claims import claim
from django_agenda.worker.record import record

DEFAULT = "default"


def take(worker: Worker, *rows: Execution, moment: datetime | None = None) -> list[Claim]:
    """Claim these rows, those first that come first."""
    at = moment or now()
    ids = [row.pk.hex for row in rows]
    return claim(DEFAULT, worker, ids, moment=at, starts=monotonic(), horizon=at).claims


def end(worker: Worker, *claims: Claim, **changes: Any) -> list[str]:
    """Record that they have ended; return the ids of those that are to be enqueued."""
    given: dict[str, Any] = {"status": "succeeded", "run_ms": 1}
    given |= {"started_at": now(), "finished_at": now()}
    outcomes = [Outcome(claim=one, **given | changes) for one in claims]
    return [entry.id for entry in record(DEFAULT, worker, outcomes).entries]


def fresh(row: Execution) -> Execution:
    return Execution.objects.get(pk=row.pk)
