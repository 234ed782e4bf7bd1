"""The actions on batches."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution

from . import of_executions
from .action import Action, Given
from .forms import EnqueueWish, RespreadWish, ShiftWish, SpanWish

_OPEN = Q(finished_at=None)
_WAITING = Q(status__in=Execution.WAITING)
_WAITS = _OPEN & (Q(scheduled__gt=0) | Q(pending__gt=0))
_FAILED = (Execution.Status.FAILED, Execution.Status.MISSED)


def _untold() -> Q:
    """Return batches of which the broker refused something, or whose enqueueing has died."""
    grace = get_settings().ENQUEUE_GRACE
    is_late = Q(told_until__lt=F("total"), created_at__lt=now() - grace)
    return _OPEN & Q(paused_at=None) & (Q(pending__gt=0) | is_late)


def _enqueue(given: Given) -> int:
    """Change the moments first: a resume tells the broker those that it finds."""
    over = given.wish["over"]
    if given.wish["which"] == "all":
        given.executions.reschedule(**({"at": now()} if over is None else {"over": over}))
        over = None
    return sum(batch.resume(over=over) for batch in given.subjects)


ENQUEUE = replace(
    of_executions.ENQUEUE,
    label=_("Enqueue the rest"),
    fits=_untold,
    reach=lambda: (
        _WAITING & Q(held_by="") & (Q(status="pending") | Q(position__gte=F("batch__told_until")))
    ),
    form=EnqueueWish,
    carry_out=_enqueue,
    by_batch=True,
    changes_batch=True,
)
RETRY = replace(
    of_executions.RETRY,
    label=_("Retry failed"),
    fits=lambda: Q(failed__gt=0) | Q(missed__gt=0),
    reach=lambda: Q(status__in=_FAILED),
    is_by_error=True,
)
PAUSE = replace(
    of_executions.PAUSE,
    effect=_(
        "Nothing more is started until somebody resumes the batch; what runs already runs to its"
        " end."
    ),
    fits=lambda: _OPEN & Q(paused_at=None),
    reach=lambda: _WAITING & Q(held_by__in=Execution.UNASKED),
    changes_batch=True,
    carry_out=lambda given: sum(batch.pause() for batch in given.subjects),
)
RESUME = replace(
    of_executions.RESUME,
    effect=_(
        "What is overdue by now runs at once, or is spread; what has expired meanwhile is missed,"
        " unless it is spread. What was never enqueued is enqueued. Executions that were paused by"
        " themselves stay so."
    ),
    fits=lambda: _OPEN & Q(paused_at__isnull=False),
    reach=lambda: _WAITING & Q(held_by=Execution.BATCH_PAUSED),
    form=SpanWish,
    changes_batch=True,
    carry_out=lambda given: sum(batch.resume(over=given.wish["over"]) for batch in given.subjects),
    by_batch=True,
    passed_over="",
)
RESPREAD = Action(
    slug="respread",
    right="control",
    label=_("Respread"),
    ask=ngettext_lazy("Respread %(count)s execution", "Respread %(count)s executions", "number"),
    done=ngettext_lazy("Respread %(count)s execution", "Respread %(count)s executions", "number"),
    effect=_("Everything that waits is put on a new even spread. Held ones stay held."),
    fits=lambda: _WAITS,
    reach=lambda: _WAITING,
    form=RespreadWish,
    carry_out=lambda given: sum(
        batch.respread(over=given.wish["over"], start=given.wish["start"])
        for batch in given.subjects
    ),
    by_batch=True,
)
RESCHEDULE = replace(
    of_executions.RESCHEDULE,
    effect=_(
        "Everything that waits moves by the same time, and expires as long after its moment as"
        " before. Held ones stay held."
    ),
    fits=lambda: _WAITS,
    form=ShiftWish,
)
CANCEL = replace(
    of_executions.CANCEL,
    fits=lambda: _OPEN,
    carry_out=lambda given: sum(batch.cancel() for batch in given.subjects),
    by_batch=True,
    in_parts=of_executions.CANCEL.carry_out,
)
STOP_RETRYING = replace(
    of_executions.CANCEL,
    slug="stop-retrying",
    label=_("Stop retrying"),
    effect=_(
        "Those that failed with this error and are to be tried again are cancelled; one that runs"
        " at this moment is asked to stop."
    ),
    fits=lambda: _OPEN,
    reach=lambda: (
        of_executions.cancellable() & ~Q(error_fingerprint="") & ~Q(failed_stage="enqueue")
    ),
    is_by_error=True,
)
OF_BATCHES = (ENQUEUE, RETRY, RESUME, PAUSE, RESPREAD, RESCHEDULE, CANCEL)
OF_BATCH_LISTS = (ENQUEUE, RETRY, PAUSE, RESUME, CANCEL)
