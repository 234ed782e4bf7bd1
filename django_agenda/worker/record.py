"""Outcomes into rows, counts and callbacks, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import DataError, Error, IntegrityError, connections, transaction

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.models import bulk, counters, errors
from django_agenda.models.attempt import Attempt
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker
from django_agenda.scheduling.callbacks import fire
from django_agenda.signals import execution_finished, execution_retried

from .claim import Outcome, Recorded

_COLUMNS = (
    "id",
    "attempts",
    "status",
    "started_at",
    "finished_at",
    "lag_ms",
    "run_ms",
    "return_value",
    "failed_stage",
    "error_class",
    "error_message",
    "traceback",
    "error_fingerprint",
    "due_at",
    "expires_at",
)
_CHANGES = {
    **{name: f"x.{name}" for name in _COLUMNS[2:13]},
    # A moment to come is given for a retry only.
    "due_at": "COALESCE(x.due_at, e.due_at)",
    "expires_at": "COALESCE(x.expires_at, e.expires_at)",
    "claimed_by": "NULL",
    "live_key": "CASE WHEN x.status = 'scheduled' THEN e.live_key END",
}
_ATTEMPT_COLUMNS = (
    "execution",
    "number",
    "outcome",
    "worker",
    "due_at",
    "started_at",
    "finished_at",
    "lag_ms",
    "run_ms",
    "error_class",
    "error_message",
    "traceback",
)
# Incorrect value, incorrect string, invalid JSON text, packet too large.
_DATA_ERRORS = frozenset((1292, 1366, 4036, 4038, 1153))
_MOST_MS = 2**62
_RUNNING = Execution.Status.RUNNING.value
_SCHEDULED = Execution.Status.SCHEDULED.value
_SUCCEEDED = Execution.Status.SUCCEEDED.value


def record(using: str, worker: Worker, outcomes: Sequence[Outcome]) -> Recorded:
    """Store outcomes of this worker's claims; one that is no longer its own changes nothing.

    Storing the same outcome again changes nothing either, so an unclear commit may be repeated.
    """
    connection = connections[using]
    by_id = {outcome.claim.id: outcome for outcome in outcomes}
    identity = Worker._meta.get_field("id").get_db_prep_value(worker.pk, connection)
    with transaction.atomic(using):
        rows = bulk.update(
            using,
            Execution,
            _COLUMNS,
            [_row(by_id[id_], connection) for id_ in sorted(by_id)],
            changes=_CHANGES,
            guard="e.status = 'running' AND e.attempts = x.attempts AND e.claimed_by = %s",
            guard_params=[identity],
        )
        taken = {bulk.read_id(row[0]) for row in rows}
        stored = [by_id[id_] for id_ in sorted(taken)]
        _write_attempts(using, worker, stored)
        moves = ((one.claim.batch_id, _RUNNING, one.status) for one in stored)
        entries = fire(using, counters.apply(using, counters.tally(moves)))
    entries += [_entry(one) for one in stored if one.retry_at is not None]
    return Recorded(taken, entries)


def announce(outcomes: Sequence[Outcome], recorded: Recorded) -> None:
    """Send the signals of what was stored."""
    for outcome in outcomes:
        if outcome.claim.id not in recorded.taken:
            continue
        if outcome.retry_at is None:
            execution_finished.send_robust(Execution, outcome=outcome)
        else:
            execution_retried.send_robust(Execution, outcome=outcome, due_at=outcome.retry_at)


def unstorable(outcome: Outcome, error: Exception) -> Outcome:
    """Return what is stored instead of an outcome whose own data the database refuses."""
    message = errors.storable(f"Its outcome could not be stored: {error}", errors.MAX_MESSAGE)
    name = errors.class_name(type(error))
    stage = Execution.Stage.RUN.value
    return replace(
        outcome,
        status=Execution.Status.FAILED.value,
        run_ms=min(outcome.run_ms, _MOST_MS),
        return_value=None,
        stage=stage,
        error_class=name,
        error_message=message,
        traceback="",
        error_fingerprint=errors.fingerprint(stage, name, "outcome not storable"),
        retry_at=None,
    )


def blames_data(error: BaseException) -> bool:
    """Tell whether the database refused a value, whatever class its driver gave the error.

    PostgreSQL says so by SQLSTATE (22: data, 54: a limit), MariaDB by number.
    """
    if isinstance(error, DataError | IntegrityError) or not isinstance(error, Error):
        return True
    state = str(getattr(error.__cause__, "sqlstate", "") or getattr(error, "pgcode", "") or "")
    number = error.args[0] if error.args else None
    return state.startswith(("22", "54")) or number in _DATA_ERRORS


def _row(outcome: Outcome, connection: Any) -> list[Any]:
    claim, retry_at = outcome.claim, outcome.retry_at
    expires_at = None
    if retry_at is not None and claim.expires_ms is not None:
        expires_at = retry_at + timedelta(milliseconds=claim.expires_ms)
    return [
        claim.id,
        claim.attempt,
        outcome.status,
        bulk.moment_text(outcome.started_at, connection),
        None if retry_at else bulk.moment_text(outcome.finished_at, connection),
        lag_ms(outcome),
        outcome.run_ms,
        outcome.return_value,
        outcome.stage,
        outcome.error_class,
        outcome.error_message,
        outcome.traceback,
        outcome.error_fingerprint,
        bulk.moment_text(retry_at, connection),
        bulk.moment_text(expires_at, connection),
    ]


def lag_ms(outcome: Outcome) -> int:
    """Return how many milliseconds late it started; clocks may differ, so at least 0."""
    late = outcome.started_at - outcome.claim.due_at
    return max(0, round(late / timedelta(milliseconds=1)))


def _write_attempts(using: str, worker: Worker, outcomes: Sequence[Outcome]) -> None:
    connection = connections[using]
    rows = [
        [
            one.claim.id,
            one.claim.attempt,
            _outcome_word(one),
            worker.name,
            bulk.moment_text(one.claim.due_at, connection),
            bulk.moment_text(one.started_at, connection),
            bulk.moment_text(one.finished_at, connection),
            lag_ms(one),
            one.run_ms,
            one.error_class,
            one.error_message,
            one.traceback,
        ]
        for one in outcomes
        if one.claim.attempt > 1 or one.status != _SUCCEEDED
    ]
    if rows:
        bulk.insert(using, Attempt, _ATTEMPT_COLUMNS, rows)


def _outcome_word(outcome: Outcome) -> str:
    if outcome.status == _SUCCEEDED:
        return Attempt.Outcome.SUCCEEDED.value
    if outcome.stage == Execution.Stage.TIMEOUT:
        return Attempt.Outcome.TIMED_OUT.value
    return Attempt.Outcome.FAILED.value


def _entry(outcome: Outcome) -> Entry:
    claim = outcome.claim
    assert outcome.retry_at is not None  # noqa: S101
    return Entry(claim.id, claim.queue_name, due_ms(outcome.retry_at), claim.priority)
