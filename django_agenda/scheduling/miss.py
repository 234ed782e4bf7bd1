"""End executions that did not start in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connections
from django.db.models import Value

from django_agenda.models import bulk
from django_agenda.models.errors import fingerprint
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .end import end_waiting

_REASON = "No worker started it before it expired"


def miss(using: str, ids: Sequence[str], moment: datetime) -> int:
    """Make those of these that wait, and had expired at that moment, `missed`; return how many."""
    stage = Execution.Stage.EXPIRED.value
    connection = connections[using]
    paused = connection.ops.quote_name(PausedQueue._meta.db_table)
    return end_waiting(
        using,
        ids,
        Execution.Status.MISSED,
        changes={
            "failed_stage": Value(stage),
            "error_class": Value(""),
            "error_message": Value(_REASON),
            "error_fingerprint": Value(fingerprint(stage, "", _REASON)),
        },
        guard=(
            "e.held_by IN ('', %s) AND e.expires_at < %s"
            f" AND e.queue_name NOT IN (SELECT q.name FROM {paused} q)"
        ),
        guard_params=[Execution.UNKNOWN_TASK, bulk.moment_text(moment, connection)],
    )
