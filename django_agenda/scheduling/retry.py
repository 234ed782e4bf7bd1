"""Run executions again that have ended without success."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import IntegrityError, connections, transaction
from django.db.models import Case, F, QuerySet, Value, When

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.models import bulk
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from .change import Changed, carry_out, collect, with_moments
from .moments import at_once_or_over, check_over
from .move import check_reach

_COLUMNS = ("id", "due_at", "expires_at")
_CHANGES: dict[str, str | Value] = {
    "due_at": "x.due_at",
    "expires_at": "x.expires_at",
    "live_key": "e.key",
    # Before max_attempts, because MySQL reads what earlier assignments have written.
    "attempts_each": "COALESCE(e.attempts_each, e.max_attempts)",
    "max_attempts": "e.attempts + COALESCE(e.attempts_each, e.max_attempts)",
    "crashes": "0",
    **dict.fromkeys(("finished_at", "started_at", "lag_ms", "run_ms"), "NULL"),
    **dict.fromkeys(("return_value", "cancel_requested_at", "gate", "moved_by"), "NULL"),
    **dict.fromkeys(("held_by", "failed_stage", "error_class", "error_message"), "''"),
    **dict.fromkeys(("traceback", "error_fingerprint", "worker"), "''"),
    "status": "'scheduled'",
}
_FAILED = (Execution.Status.FAILED, Execution.Status.MISSED)


class _Ended(NamedTuple):
    """Hold what is read of a row before it is retried."""

    id: str
    status: str
    key: str | None
    expires_ms: int | None
    due_at: datetime


class _Reopened(NamedTuple):
    """Hold a row that waits again; `before` is the status that it had."""

    batch_id: int | None
    before: str
    entry: Entry


def retry(
    executions: QuerySet[Execution], over: timedelta | None = None, start: datetime | None = None
) -> int:
    """See ExecutionQuerySet.retry()."""
    using = executions.db
    ended = executions.filter(status__in=Execution.RETRYABLE)
    if over is None and start is not None:
        raise ValueError(f"'start' is where a spread begins: it needs 'over', not {start!r} alone")
    if over is not None:
        check_reach(ended, now() if start is None else start, check_over(over))
    ids = collect(ended, "due_at", "pk")
    moments = at_once_or_over(len(ids), over, start)
    return carry_out(using, with_moments(ids, moments), partial(_retry, using))


def retry_failed(batch: Batch, over: timedelta | None = None) -> int:
    """See Batch.retry_failed()."""
    using = batch._state.db or "default"
    return retry(Execution.objects.using(using).filter(batch=batch, status__in=_FAILED), over)


def _retry(using: str, page: tuple[list[str], list[datetime]]) -> Changed:
    ended = _read(using, *page)
    try:
        with transaction.atomic(using):
            reopened = _reopen(using, ended)
    except IntegrityError:
        reopened = [row for one in ended for row in _reopen_alone(using, one)]
    _prepare(using, Counter(row.batch_id for row in reopened if row.batch_id is not None))
    return Changed(
        count=len(reopened),
        moves=[(row.batch_id, row.before, Execution.Status.SCHEDULED.value) for row in reopened],
        entries=[row.entry for row in reopened],
        waiting={row.entry.id: row.batch_id for row in reopened},
    )


def _read(using: str, ids: list[str], moments: list[datetime]) -> list[_Ended]:
    """Return what is to run again: of those that share a key only the latest."""
    due = dict(zip(ids, moments, strict=True))
    rows = Execution.objects.using(using).filter(pk__in=ids, status__in=Execution.RETRYABLE)
    found = [
        _Ended(id_.hex, status, key, expires_ms, due[id_.hex])
        for id_, status, key, expires_ms in rows.order_by("pk").values_list(
            "pk", "status", "key", "expires_ms"
        )
    ]
    latest = {one.key: one.id for one in found}
    return [one for one in found if one.key is None or latest[one.key] == one.id]


def _reopen(using: str, ended: Sequence[_Ended]) -> list[_Reopened]:
    connection = connections[using]
    table = connection.ops.quote_name(Execution._meta.db_table)
    reopened: list[_Reopened] = []
    for status in sorted({one.status for one in ended}):
        rows = bulk.update(
            using,
            Execution,
            _COLUMNS,
            [_row(one, connection) for one in ended if one.status == status],
            changes=_CHANGES,
            guard=(
                "e.status = %s AND (e.key IS NULL OR NOT EXISTS"
                f" (SELECT 1 FROM {table} o WHERE o.live_key = e.key))"
            ),
            guard_params=[status],
            returning=("batch", "id", "queue_name", "due_at", "priority"),
        )
        for batch_id, id_, queue_name, due_at, priority in rows:
            moment = due_ms(bulk.read_moment(due_at, connection))
            entry = Entry(bulk.read_id(id_), queue_name, moment, priority)
            reopened.append(_Reopened(batch_id, status, entry))
    return reopened


def _reopen_alone(using: str, one: _Ended) -> list[_Reopened]:
    """Reopen one row, unless its key was taken at this very moment."""
    try:
        with transaction.atomic(using):
            return _reopen(using, [one])
    except IntegrityError:
        return []


def _row(one: _Ended, connection: Any) -> list[Any]:
    expires_at = None
    if one.expires_ms is not None:
        expires_at = one.due_at + timedelta(milliseconds=one.expires_ms)
    return [
        one.id,
        bulk.moment_text(one.due_at, connection),
        bulk.moment_text(expires_at, connection),
    ]


def _prepare(using: str, counts: Mapping[int, int]) -> None:
    """Make batches ready to be reopened, before their counts change.

    One that had ended is no longer paused, and takes its key back unless a new batch has it.
    """
    if not counts:
        return
    batches = Batch.objects.using(using).filter(pk__in=list(counts))
    ended = batches.filter(finished_at__isnull=False)
    ended.filter(paused_at__isnull=False).update(paused_at=None, pause_reason="")
    for batch in ended.filter(key__isnull=False, live_key=None).order_by("pk").only("key"):
        with suppress(IntegrityError), transaction.atomic(using):
            batches.filter(pk=batch.pk).update(live_key=batch.key)
    for batch_id in batches.exclude(max_failures=None).order_by("pk").values_list("pk", flat=True):
        batches.filter(pk=batch_id).update(
            forgiven_failures=_less("forgiven_failures", counts[batch_id]),
            forgiven_outcomes=_less("forgiven_outcomes", counts[batch_id]),
        )


def _less(name: str, count: int) -> Case:
    return Case(When(**{f"{name}__gt": count}, then=F(name) - count), default=0)
