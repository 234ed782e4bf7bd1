"""What bodies say of how far they are, into their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from django.db import connections

from django_agenda.conf import Settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
from django_agenda.models.worker import Worker
from django_agenda.tasks.reached import Reached

from .claim import Outcome
from .context import ClaimContext
from .in_hand import InHand
from .lease import Lease

LONGEST = 1.0
_AT_ONCE = 500
_COLUMNS = ("id", "attempts", "progress_done", "progress_total", "progress_message")
_CHANGES = {name: f"x.{name}" for name in _COLUMNS[2:]}


class Reports:
    """Write once a second what has changed; without news it asks the database for nothing."""

    def __init__(self, using: str, settings: Settings, in_hand: InHand) -> None:
        self._using = using
        self._interval = min(LONGEST, settings.HEARTBEAT.total_seconds())
        self._in_hand = in_hand

    def tick(self) -> float:
        """Write the latest of every body that has said something new."""
        news: defaultdict[Lease, list[tuple[ClaimContext, Reached]]] = defaultdict(list)
        for context in self._in_hand.contexts():
            reached = context.reached
            if reached is not None and reached is not context.stored:
                news[context.claim.lease].append((context, reached))
        for lease, group in news.items():
            for chunk in bulk.chunked(group, _AT_ONCE):
                in_transaction(self._using, partial(_write, self._using, lease.worker, chunk))
                for context, reached in chunk:
                    context.stored = reached
        return self._interval


def write_last(using: str, outcomes: Sequence[Outcome], again: Collection[str]) -> None:
    """Write with their outcomes how far they came; what runs again begins anew.

    The rows are those that this transaction has just changed.
    """
    rows = [
        _row(one.claim.id, one.claim.attempt, None if one.claim.id in again else one.reached)
        for one in outcomes
        if one.reached is not None
    ]
    if rows:
        bulk.update(using, Execution, _COLUMNS, rows, changes=_CHANGES)


def _write(using: str, worker: Worker, group: Sequence[tuple[ClaimContext, Reached]]) -> None:
    """Change only what this worker still runs, in this attempt."""
    me = Worker._meta.get_field("id").get_db_prep_value(worker.pk, connections[using])
    bulk.update(
        using,
        Execution,
        _COLUMNS,
        sorted(_row(context.id, context.attempt, reached) for context, reached in group),
        changes=_CHANGES,
        guard="e.status = 'running' AND e.attempts = x.attempts AND e.claimed_by = %s",
        guard_params=[me],
        skip_locked=True,
    )


def _row(id_: str, attempt: int, reached: Reached | None) -> list[Any]:
    if reached is None:
        return [id_, attempt, None, None, ""]
    return [id_, attempt, reached.done, reached.total, reached.message]
