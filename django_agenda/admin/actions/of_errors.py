"""The action on all executions that met one kind of error."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import Q

from django_agenda.models.execution import Execution

from . import of_executions

_ENDED_BADLY = Q(status__in=(Execution.Status.FAILED, Execution.Status.MISSED))

RETRY = replace(
    of_executions.RETRY,
    fits=lambda: _ENDED_BADLY,
    reach=lambda: _ENDED_BADLY,
    is_by_error=True,
)
