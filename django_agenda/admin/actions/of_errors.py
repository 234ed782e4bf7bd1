"""The actions on all executions that met one kind of error, or have a task that met it."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from django_agenda.models.execution import Execution

from . import of_executions

_WAITING = Q(status__in=Execution.WAITING, finished_at__isnull=True)
_ENDED_BADLY = Q(status__in=(Execution.Status.FAILED, Execution.Status.MISSED))

RETRY = replace(
    of_executions.RETRY,
    fits=lambda: _ENDED_BADLY,
    reach=lambda: _ENDED_BADLY,
    is_by_error=True,
)
CANCEL_TASK = replace(
    of_executions.CANCEL,
    slug="cancel-task",
    label=_("Cancel all waiting of these tasks"),
    effect=_(
        "Everything ends that waits for this task, in whichever batch, also if it never met the"
        " error. What runs goes on. What was cancelled can be retried."
    ),
    fits=lambda: _WAITING,
    reach=lambda: _WAITING,
)
