"""Outcomes into rows, counts and callbacks, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DataError, Error, IntegrityError, connections, router
from django.db.models import F
from django.db.models.functions import Coalesce

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.models import bulk, counters, errors
from django_agenda.models.attempt import Attempt
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
from django_agenda.models.unread import unread
from django_agenda.models.worker import Worker
from django_agenda.scheduling.callbacks import fire
from django_agenda.scheduling.grant import grant
from django_agenda.scheduling.hold import hold_members
from django_agenda.scheduling.leave import Begun, leave
from django_agenda.scheduling.turn import release_next
from django_agenda.signals import execution_finished, execution_retried

from .claim import Outcome, Recorded
from .reports import write_last

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
# It is to run again, unless its cancellation was asked for.
_AGAIN = "x.status = 'scheduled' AND e.cancel_requested_at IS NULL"
_CHANGES = {
    **{name: f"x.{name}" for name in _COLUMNS[3:13]},
    "finished_at": f"CASE WHEN {_AGAIN} THEN NULL ELSE x.finished_at END",
    # A moment to come is given for a retry only.
    "due_at": f"CASE WHEN {_AGAIN} THEN x.due_at ELSE e.due_at END",
    "expires_at": f"CASE WHEN {_AGAIN} THEN x.expires_at ELSE e.expires_at END",
    "claimed_by": "NULL",
    "gate": "NULL",
    "live_key": f"CASE WHEN {_AGAIN} THEN e.live_key END",
    "status": (
        "CASE WHEN x.status = 'scheduled' AND e.cancel_requested_at IS NOT NULL"
        " THEN 'cancelled' ELSE x.status END"
    ),
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RUNNING = Execution.Status.RUNNING.value
_SCHEDULED = Execution.Status.SCHEDULED.value
_SUCCEEDED = Execution.Status.SUCCEEDED.value
_CANCELLED = Execution.Status.CANCELLED.value


def record(using: str, worker: Worker, outcomes: Sequence[Outcome]) -> Recorded:
    """Store outcomes of this worker's claims; one that is no longer its own changes nothing.

    Storing the same outcome again changes nothing either, so an unclear commit may be repeated.
    """
    return in_transaction(using, partial(_record, using, worker, outcomes))


def _record(using: str, worker: Worker, outcomes: Sequence[Outcome]) -> Recorded:
    connection = connections[using]
    by_id = {outcome.claim.id: outcome for outcome in outcomes}
    identity = Worker._meta.get_field("id").get_db_prep_value(worker.pk, connection)
    rows = bulk.update(
        using,
        Execution,
        _COLUMNS,
        [_row(by_id[id_], connection) for id_ in sorted(by_id)],
        changes=_CHANGES,
        guard="e.status = 'running' AND e.attempts = x.attempts AND e.claimed_by = %s",
        guard_params=[identity],
        returning=("id", "status"),
    )
    taken = {bulk.read_id(row[0]): row[1] for row in rows}
    stored = [by_id[id_] for id_ in sorted(taken)]
    _write_attempts(using, worker, stored)
    let_others_in = leave(using, {one.claim.slot for one in stored}, _begun(stored))
    moves = ((one.claim.batch_id, _RUNNING, taken[one.claim.id]) for one in stored)
    states = counters.apply(using, counters.tally(moves))
    again = {id_: by_id[id_] for id_, status in taken.items() if status == _SCHEDULED}
    waiting = {id_: one.claim.batch_id for id_, one in again.items()}
    held = hold_members(using, states, waiting) if again else set()
    entries = let_others_in + fire(using, states)
    write_last(using, stored, again)
    _grant_tries(using, [id_ for id_, one in again.items() if one.is_asked])
    entries += [_entry(one) for id_, one in again.items() if id_ not in held]
    entries += _serve_schedules(using, [one for one in stored if one.claim.schedule_id], again)
    cancelled = {id_ for id_, status in taken.items() if status != by_id[id_].status}
    return Recorded(set(taken), entries, cancelled)


def _begun(outcomes: Sequence[Outcome]) -> list[Begun]:
    return [
        # Between `started_at` and the body lies what may take long on a busy machine.
        Begun(one.claim.start, (one.finished_at - _EPOCH) // _MICROSECOND)
        for one in outcomes
        if one.claim.start is not None
    ]


def _serve_schedules(
    using: str, outcomes: Sequence[Outcome], again: Collection[str]
) -> list[Entry]:
    """Do what runs of schedules asked for, and let go what waited for their end."""
    if not outcomes:
        return []
    runs = [(one, one.claim.schedule_id or 0) for one in outcomes]
    grant(using, [(key, one.wish) for one, key in runs if one.wish is not None])
    return release_next(using, sorted({key for one, key in runs if one.claim.id not in again}))


def _grant_tries(using: str, ids: Collection[str]) -> None:
    """Let what asked for another attempt have it besides those that it had."""
    if ids:
        # In this order: MySQL reads what earlier assignments have written.
        Execution.objects.using(using).filter(pk__in=ids).update(
            attempts_each=Coalesce("attempts_each", "max_attempts"),
            max_attempts=F("max_attempts") + 1,
        )


def announce(outcomes: Sequence[Outcome], recorded: Recorded) -> None:
    """Send the signals of what was stored."""
    if not any(one.has_listeners(Execution) for one in (execution_finished, execution_retried)):
        return
    using = router.db_for_write(Execution)
    for outcome in outcomes:
        if outcome.claim.id not in recorded.taken:
            continue
        if outcome.claim.id in recorded.cancelled:
            outcome = replace(outcome, status=_CANCELLED, retry_at=None)  # noqa: PLW2901
        row = unread(Execution, using, {"id": UUID(outcome.claim.id)})
        if outcome.retry_at is None:
            execution_finished.send_robust(Execution, execution=row, outcome=outcome)
        else:
            due_at = outcome.retry_at
            execution_retried.send_robust(Execution, execution=row, outcome=outcome, due_at=due_at)


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
        bulk.moment_text(outcome.finished_at, connection),
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
    if outcome.status == _CANCELLED:
        return Attempt.Outcome.CANCELLED.value
    if outcome.is_asked:
        return Attempt.Outcome.RETRIED.value
    if outcome.stage == Execution.Stage.TIMEOUT:
        return Attempt.Outcome.TIMED_OUT.value
    return Attempt.Outcome.FAILED.value


def _entry(outcome: Outcome) -> Entry:
    claim = outcome.claim
    assert outcome.retry_at is not None  # noqa: S101
    return Entry(claim.id, claim.queue_name, due_ms(outcome.retry_at), claim.priority)
