"""End executions that did not start in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Value

from django_agenda.models import bulk
from django_agenda.models.errors import fingerprint
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .end import end_waiting
from .hold import UNHELD

_REASON = "No worker started it before it expired"


def miss(using: str, ids: Sequence[str], moment: datetime) -> int:
    """Make those of these that wait, and had expired at that moment, `missed`; return how many."""
    connection = connections[using]
    paused = connection.ops.quote_name(PausedQueue._meta.db_table)
    guard = f"e.expires_at < %s AND e.queue_name NOT IN (SELECT q.name FROM {paused} q)"
    return miss_those(using, ids, _REASON, guard, [bulk.moment_text(moment, connection)])


def miss_those(
    using: str, ids: Sequence[str], reason: str, guard: str, guard_params: Sequence[Any]
) -> int:
    """Make those of these that wait, are not paused, and pass the guard, `missed`."""
    stage = Execution.Stage.EXPIRED.value
    return end_waiting(
        using,
        ids,
        Execution.Status.MISSED,
        changes={
            "failed_stage": Value(stage),
            "error_class": Value(""),
            "error_message": Value(reason),
            "error_fingerprint": Value(fingerprint(stage, "", reason)),
        },
        guard=f"{UNHELD} AND {guard}",
        guard_params=guard_params,
    )
