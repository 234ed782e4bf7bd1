"""The actions on executions that were chosen one by one, or by a list's filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.scheduling.reconcile import enqueue_refused

from .action import Action, Given
from .forms import MomentWish, SpanWish

_WAITING = Q(status__in=Execution.WAITING)

RETRIED = ngettext_lazy("Retried %(count)s execution", "Retried %(count)s executions", "number")
KEY_IN_USE = _("changed meanwhile, or another execution has the key")
RETRY_EFFECT = _(
    "They keep their record, and get as many attempts more as their task had at first. A batch"
    " that had ended is open again."
)
CANCEL_EFFECT = _(
    "What waits ends at once. What runs is asked to stop, and ends by itself. What was cancelled"
    " can be retried."
)


def cancellable() -> Q:
    """Return what waits, and what runs and was not asked to stop yet."""
    return _WAITING | Q(status=Execution.Status.RUNNING, cancel_requested_at=None)


def window_of(given: Given) -> dict[str, Any]:
    """Return the arguments of verbs that spread."""
    return {"over": given.wish["over"], "start": given.wish.get("start")}


def _action(reach: Callable[[], Q], **values: Any) -> Action:
    return Action(fits=reach, reach=reach, **values)


ENQUEUE = _action(
    lambda: Q(status=Execution.Status.PENDING, held_by=""),
    slug="enqueue",
    right="enqueue",
    label=_("Enqueue"),
    ask=ngettext_lazy("Enqueue %(count)s execution", "Enqueue %(count)s executions", "number"),
    done=ngettext_lazy("Enqueued %(count)s execution", "Enqueued %(count)s executions", "number"),
    effect=_(
        "Redis is told of what it did not take. What it refuses again stays not enqueued, and"
        " workers go on trying."
    ),
    carry_out=lambda given: enqueue_refused(given.executions),
    passed_over=_("Redis refused them again, or they have changed meanwhile"),
    is_repair=True,
    needs_redis=True,
)
RUN_NOW = _action(
    lambda: _WAITING & Q(held_by=""),
    slug="run-now",
    right="retry",
    label=_("Run now"),
    ask=ngettext_lazy("Run %(count)s execution now", "Run %(count)s executions now", "number"),
    done=ngettext_lazy(
        "%(count)s execution is due now", "%(count)s executions are due now", "number"
    ),
    effect=_("They are due at once; a worker takes them as soon as it has room."),
    carry_out=lambda given: given.executions.reschedule(at=now()),
)
RETRY = _action(
    lambda: Q(status__in=Execution.RETRYABLE),
    slug="retry",
    right="retry",
    label=_("Retry"),
    ask=ngettext_lazy("Retry %(count)s execution", "Retry %(count)s executions", "number"),
    done=RETRIED,
    effect=RETRY_EFFECT,
    form=SpanWish,
    carry_out=lambda given: given.executions.retry(**window_of(given)),
    passed_over=KEY_IN_USE,
    is_repair=True,
)
RESCHEDULE = _action(
    lambda: _WAITING,
    slug="reschedule",
    right="control",
    label=_("Reschedule"),
    ask=ngettext_lazy(
        "Reschedule %(count)s execution", "Reschedule %(count)s executions", "number"
    ),
    done=ngettext_lazy(
        "Rescheduled %(count)s execution", "Rescheduled %(count)s executions", "number"
    ),
    effect=_(
        "They get another moment, and expire as long after it as before. Held ones stay held."
    ),
    form=MomentWish,
    carry_out=lambda given: given.executions.reschedule(**given.wish),
)
PAUSE = _action(
    lambda: _WAITING & ~Q(held_by=Execution.PAUSED),
    slug="pause",
    is_brake=True,
    right="control",
    label=_("Pause"),
    ask=ngettext_lazy("Pause %(count)s execution", "Pause %(count)s executions", "number"),
    done=ngettext_lazy("Paused %(count)s execution", "Paused %(count)s executions", "number"),
    effect=_("They are held until somebody resumes them."),
    carry_out=lambda given: given.executions.pause(),
)
RESUME = _action(
    lambda: _WAITING & Q(held_by=Execution.PAUSED),
    slug="resume",
    right="control",
    label=_("Resume"),
    ask=ngettext_lazy("Resume %(count)s execution", "Resume %(count)s executions", "number"),
    done=ngettext_lazy("Resumed %(count)s execution", "Resumed %(count)s executions", "number"),
    effect=_(
        "What is overdue by now runs at once, or is spread; what has expired meanwhile is missed,"
        " unless it is spread. What a paused batch holds as well stays held, and is not counted."
    ),
    form=SpanWish,
    lets_go=True,
    carry_out=lambda given: given.executions.resume(**window_of(given)),
    passed_over=_("changed meanwhile, or held by their batch"),
)
CANCEL = _action(
    cancellable,
    slug="cancel",
    right="control",
    label=_("Cancel"),
    ask=ngettext_lazy("Cancel %(count)s execution", "Cancel %(count)s executions", "number"),
    done=ngettext_lazy("Cancelled %(count)s execution", "Cancelled %(count)s executions", "number"),
    effect=CANCEL_EFFECT,
    carry_out=lambda given: given.executions.cancel(),
)
OF_EXECUTIONS = (ENQUEUE, RETRY, RUN_NOW, RESCHEDULE, PAUSE, RESUME, CANCEL)
