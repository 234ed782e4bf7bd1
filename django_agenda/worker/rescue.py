"""Take back what lost workers had claimed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import Exists, Q
from django.db.models.functions import Now

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.exceptions import UnknownTask
from django_agenda.models import bulk, counters
from django_agenda.models.attempt import Attempt
from django_agenda.models.errors import fingerprint
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
from django_agenda.models.worker import Worker
from django_agenda.scheduling.callbacks import fire
from django_agenda.scheduling.enqueue import tell
from django_agenda.scheduling.hold import hold_members
from django_agenda.scheduling.leave import leave
from django_agenda.tasks.registry import lookup

_REASON = "Its worker was lost while it ran"
_STAGE = Execution.Stage.LOST.value
_RUNNING = Execution.Status.RUNNING.value
_SCHEDULED = Execution.Status.SCHEDULED.value
# It is to run again, unless its cancellation was asked for.
_AGAIN = f"x.status = '{_SCHEDULED}' AND e.cancel_requested_at IS NULL"


def declare_lost(using: str, ttl: timedelta, *, on_condition: Exists | None = None) -> int:
    """Mark workers whose lease has lapsed; from here on their claims are void.

    One statement, judged by the database's clock alone; see fleet for the condition.
    """
    silent = Worker.objects.using(using).filter(status__in=Worker.LIVING, beat_at__lt=Now() - ttl)
    if on_condition is not None:
        silent = silent.filter(on_condition)
    return silent.update(status=Worker.Status.LOST, stopped_at=Now())


def rescue(using: str) -> tuple[int, list[Entry]]:
    """Schedule what runs under no living worker, or fail it when that happened too often.

    Returns how many, and what is to be enqueued. A crash is counted apart from the tries.
    """
    living = Worker.objects.using(using).filter(status__in=Worker.LIVING)
    orphans = Execution.objects.using(using).filter(
        Q(claimed_by__isnull=True) | ~Q(claimed_by__in=living.values("pk")),
        status=Execution.Status.RUNNING,
    )
    found = list(orphans.order_by("due_at")[: get_settings().CHUNK_SIZE])
    if not found:
        return 0, []
    limit = get_settings().MAX_CRASHES
    again = [row for row in found if _may_run_again(row, limit)]

    def write_down() -> tuple[dict[str, str], set[str], list[Entry]]:
        taken = _take_back(using, found, {row.pk for row in again})
        _write_attempts(using, [row for row in found if row.pk.hex in taken])
        let_others_in = leave(using, [row.gate.hex for row in found if row.gate])
        moves = (
            (row.batch_id, _RUNNING, taken[row.pk.hex]) for row in found if row.pk.hex in taken
        )
        states = counters.apply(using, counters.tally(moves))
        waiting = {row.pk.hex: row.batch_id for row in again if taken.get(row.pk.hex) == _SCHEDULED}
        held = hold_members(using, states, waiting)
        return taken, waiting.keys() - held, let_others_in + fire(using, states)

    taken, free, callbacks = in_transaction(using, write_down)
    return len(taken), callbacks + [
        Entry(row.pk.hex, row.queue_name, due_ms(row.due_at), row.priority)
        for row in again
        if row.pk.hex in free
    ]


def rescue_all(using: str) -> Iterator[int]:
    """Rescue until nothing is left; give how many, chunk by chunk, before the broker is told."""
    while True:
        count, entries = rescue(using)
        if not count:
            return
        yield count
        tell([], entries)


def _may_run_again(row: Execution, limit: int) -> bool:
    try:
        wish = lookup(row.task_name).on_worker_lost
    except UnknownTask:
        wish = "retry"
    return wish == "retry" and row.crashes + 1 < limit


def _take_back(using: str, rows: Sequence[Execution], again: set[Any]) -> dict[str, str]:
    connection = connections[using]
    finished_at = bulk.moment_text(now(), connection)
    mark = fingerprint(_STAGE, "WorkerLost", _REASON)
    values = [
        [row.pk.hex, row.attempts, "scheduled", finished_at, ""]
        if row.pk in again
        else [row.pk.hex, row.attempts, "failed", finished_at, mark]
        for row in sorted(rows, key=lambda row: row.pk)
    ]
    living = connection.ops.quote_name(Worker._meta.db_table)
    changed = bulk.update(
        using,
        Execution,
        ("id", "attempts", "status", "finished_at", "error_fingerprint"),
        values,
        changes={
            "finished_at": f"CASE WHEN {_AGAIN} THEN NULL ELSE x.finished_at END",
            "error_fingerprint": "x.error_fingerprint",
            "failed_stage": f"CASE WHEN x.status = 'failed' THEN '{_STAGE}' ELSE '' END",
            "error_class": "CASE WHEN x.status = 'failed' THEN 'WorkerLost' ELSE '' END",
            "error_message": f"CASE WHEN x.status = 'failed' THEN '{_REASON}' ELSE '' END",
            "live_key": f"CASE WHEN {_AGAIN} THEN e.live_key END",
            "crashes": "e.crashes + 1",
            # It had begun in time, so it can no longer be missed.
            "expires_at": "NULL",
            "claimed_by": "NULL",
            "gate": "NULL",
            "status": (
                "CASE WHEN x.status = 'scheduled' AND e.cancel_requested_at IS NOT NULL"
                " THEN 'cancelled' ELSE x.status END"
            ),
        },
        guard=(
            "e.status = 'running' AND e.attempts = x.attempts AND NOT EXISTS (SELECT 1 FROM"
            f" {living} w WHERE w.id = e.claimed_by"
            " AND w.status IN ('active', 'quiet', 'draining'))"
        ),
        returning=("id", "status"),
    )
    return {bulk.read_id(row[0]): row[1] for row in changed}


def _write_attempts(using: str, rows: Sequence[Execution]) -> None:
    Attempt.objects.using(using).bulk_create(
        Attempt(
            execution_id=row.pk,
            number=row.attempts,
            outcome=Attempt.Outcome.LOST,
            worker=row.worker,
            due_at=row.due_at,
            started_at=row.started_at,
            finished_at=now(),
            error_class="WorkerLost",
            error_message=_REASON,
        )
        for row in rows
    )
