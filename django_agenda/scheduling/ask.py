"""Ask worker processes to claim nothing new, to go on, or to end.

The wish stands in the worker's row. Its heart reads it in a statement that every heartbeat
executes anyway, so that it needs no Redis, and costs a worker that is idle nothing.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from django_agenda.models.transactions import update_again
from django_agenda.models.worker import Worker

_WORKS = ""


def quiet(workers: QuerySet[Worker]) -> int:
    """See WorkerQuerySet.quiet()."""
    return _ask(workers.filter(may_quiet()), Worker.Request.QUIET)


def resume(workers: QuerySet[Worker]) -> int:
    """See WorkerQuerySet.resume(); who was asked to stop is not called back."""
    return _ask(workers.filter(may_resume()), _WORKS)


def stop(workers: QuerySet[Worker]) -> int:
    """See WorkerQuerySet.stop()."""
    return _ask(workers.filter(may_stop()), Worker.Request.STOP)


def may_quiet() -> Q:
    """Return which workers can be asked to be quiet."""
    return Q(status__in=Worker.AT_WORK, requested=_WORKS)


def may_resume() -> Q:
    """Return which workers can be asked to go on."""
    return Q(status__in=Worker.AT_WORK, requested=Worker.Request.QUIET)


def may_stop() -> Q:
    """Return which workers can be asked to end."""
    return Q(status__in=Worker.AT_WORK) & ~Q(requested=Worker.Request.STOP)


def _ask(workers: QuerySet[Worker], request: str) -> int:
    return update_again(workers.order_by(), requested=request, requested_at=Now())
