"""End what has waited too long for a worker that knows its task."""

from __future__ import annotations

from datetime import timedelta

from django.db import connections
from django.db.models import Q, Value

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.errors import fingerprint
from django_agenda.models.execution import Execution

from .end import end_waiting

ERROR = "UnknownTask"


def fail_unknown(using: str, ttl: timedelta) -> int:
    """Fail what was put aside longer ago than that, in one chunk; return how many there were.

    While workers of two releases run side by side one of them may know what the other does not;
    afterwards a name that nobody knows would wait for ever.
    """
    until = now() - ttl
    aside = Execution.objects.using(using).filter(
        Q(held_at=None, due_at__lt=until) | Q(held_at__lt=until),
        held_by=Execution.UNKNOWN_TASK,
        status__in=Execution.WAITING,
    )
    ids = [id_.hex for id_ in aside.values_list("pk", flat=True)[: get_settings().CHUNK_SIZE]]
    if not ids:
        return 0
    stage = Execution.Stage.EXPIRED.value
    reason = f"No worker that knows its task came within {ttl}"
    return end_waiting(
        using,
        ids,
        Execution.Status.FAILED,
        changes={
            "failed_stage": Value(stage),
            "error_class": Value(ERROR),
            "error_message": Value(reason),
            "error_fingerprint": Value(fingerprint(stage, ERROR, reason)),
        },
        guard="e.held_by = %s AND COALESCE(e.held_at, e.due_at) < %s",
        guard_params=[Execution.UNKNOWN_TASK, bulk.moment_text(until, connections[using])],
    )
