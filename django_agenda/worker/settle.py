"""Settle what a process that has died, or was killed, had in its hands.

Only what ran is blamed. What had merely been claimed was never begun, and is given back at once
and uncounted, before the worker's row says that it is lost: from then on any caretaker may take
whatever is left for a victim of the crash.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import connections
from django.db.models.functions import Now

from django_agenda.conf import get_settings
from django_agenda.exceptions import UnknownTask
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
from django_agenda.models.worker import Worker
from django_agenda.policies.terms import Terms
from django_agenda.scheduling.enqueue import tell
from django_agenda.signals import executions_healed
from django_agenda.tasks.registry import lookup

from .board import Token
from .claim import Claim
from .claims import give_back
from .fleet import resign
from .lease import Lease
from .record import announce, record
from .rescue import rescue_all
from .runner import timed_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """Hold what is known of a process that died.

    `begun` is what it ran, and what it may have run without storing the outcome; `stuck` maps
    what it was killed for, because it did not heed its time-out even after the grace, to how many
    seconds had passed since.
    """

    worker: UUID
    begun: Collection[Token] = ()
    stuck: dict[Token, float] = field(default_factory=dict)


def settle(using: str, remains: Remains) -> None:
    """Record, give back or blame what it held; may be repeated, and changes nothing then."""
    worker = Worker.objects.using(using).filter(pk=remains.worker).first()
    if worker is None:
        return
    rows = Execution.objects.using(using).filter(
        claimed_by=worker.pk, status=Execution.Status.RUNNING
    )
    held = {(id_.hex, attempt) for id_, attempt in rows.values_list("pk", "attempts")}
    begun = held.intersection(remains.begun)
    stuck = held.intersection(remains.stuck)
    _record_stuck(using, worker, {token: remains.stuck[token] for token in stuck})
    blame(using, worker, sorted(begun - stuck))
    _give_back(using, worker, sorted(held - begun - stuck))
    living = Worker.objects.using(using).filter(pk=worker.pk, status__in=Worker.LIVING)
    living.update(status=Worker.Status.LOST, stopped_at=Now())
    resign(using, worker.pk)


def blame(using: str, worker: Worker, tokens: Sequence[Token]) -> None:
    """Let these claims of that worker count as crashed; they run again, or fail."""
    if not tokens:
        return
    in_transaction(using, partial(_disown, using, worker, tokens))
    # What nobody claims and yet runs is what every caretaker looks for.
    for count in rescue_all(using):
        _healed("worker lost", count)


def _disown(using: str, worker: Worker, tokens: Sequence[Token]) -> None:
    me = Worker._meta.get_field("id").get_db_prep_value(worker.pk, connections[using])
    bulk.update(
        using,
        Execution,
        ("id", "attempts"),
        [list(token) for token in tokens],
        changes={"claimed_by": "NULL"},
        guard="e.status = 'running' AND e.attempts = x.attempts AND e.claimed_by = %s",
        guard_params=[me],
    )


def _give_back(using: str, worker: Worker, tokens: Sequence[Token]) -> None:
    for chunk in bulk.chunked(tokens, get_settings().CHUNK_SIZE):
        tell([], give_back(using, worker, chunk))
    if tokens:
        _healed("claimed by a lost process", len(tokens))


def _record_stuck(using: str, worker: Worker, stuck: dict[Token, float]) -> None:
    outcomes = []
    for row in Execution.objects.using(using).filter(pk__in=[UUID(id_) for id_, _ in stuck]):
        with suppress(UnknownTask):
            claim = _claim(row, worker)
            limit = (claim.task.timeout or timedelta()) + get_settings().HARD_TIMEOUT_GRACE
            seconds = limit.total_seconds() + stuck[row.pk.hex, row.attempts]
            outcomes.append(timed_out(claim, seconds, "It held the interpreter: no stack."))
    if outcomes:
        recorded = record(using, worker, outcomes)
        tell([], recorded.entries)
        announce(outcomes, recorded)


def _claim(row: Execution, worker: Worker) -> Claim:
    return Claim(
        id=row.pk.hex,
        batch_id=row.batch_id,
        task_name=row.task_name,
        args="",
        kwargs="",
        attempt=row.attempts,
        max_attempts=row.max_attempts,
        crashes=row.crashes,
        due_at=row.due_at,
        expires_ms=row.expires_ms,
        key=row.key,
        queue_name=row.queue_name,
        priority=row.priority,
        task=lookup(row.task_name).on_terms(Terms.unpack(row.terms)),
        starts=0.0,
        lease=Lease(worker),
        schedule_id=row.schedule_id,
        slot=row.gate.hex if row.gate else None,
    )


def _healed(reason: str, count: int) -> None:
    executions_healed.send_robust(Execution, reason=reason, count=count)
