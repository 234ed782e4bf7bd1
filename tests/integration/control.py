"""What the tests of the verbs share: batches in the past and to come, claims and outcomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django_agenda import Agenda, Call
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from django_agenda.worker.claim import Claim, Outcome
from django_agenda.worker.claims import claim
from tests import tasks

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULT = "default"


def batch_of(*calls: Call, count: int = 3, **options: Any) -> Batch:
    """Scatter the calls, or so many that do nothing, over an hour that is far away."""
    given: dict[str, Any] = {"start": START, "over": HOUR}
    listed = list(calls) or [Call(tasks.plain, (n,)) for n in range(count)]
    return Agenda(listed).scatter(**given | options)


def overdue(*calls: Call, **options: Any) -> Batch:
    """Scatter them over an hour that has passed."""
    return batch_of(*calls, start=now() - 2 * HOUR, **options)


def take(worker: Worker, *rows: Execution) -> list[Claim]:
    """Claim what of these is due."""
    ids = [row.pk.hex for row in rows]
    return claim(DEFAULT, worker, ids, moment=now(), starts=0.0, horizon=now()).claims


def outcome(one: Claim, status: str = "succeeded", **changes: Any) -> Outcome:
    """Return how a claim ended."""
    given: dict[str, Any] = {"claim": one, "status": status, "run_ms": 1}
    return Outcome(**given | {"started_at": now(), "finished_at": now()} | changes)
