"""Whether anything can run at all: what every page says when Redis or the workers are gone."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.worker import Worker
from django_agenda.scheduling.health import redis_error

from .memory import memory


def redis_trouble() -> str:
    """Return why Redis does not answer; nothing when it does.

    It is asked every two seconds at most: one that hangs would keep every page waiting.
    """
    error: str = memory.recall("redis", redis_error)
    return error


def warnings() -> list[str]:
    """Return what keeps everything from being run: one statement."""
    return [*redis_warnings(), *_worker_warnings()]


def redis_warnings() -> list[str]:
    """Return what is to be said of Redis alone."""
    error = redis_trouble()
    words = _("Redis does not answer; this is what the database says: %s")
    return [words % error] if error else []


def _worker_warnings() -> list[str]:
    since = now() - get_settings().WORKER_TTL
    living = Worker.objects.filter(status__in=Worker.LIVING, beat_at__gte=since)
    statuses = set(living.order_by().values_list("status", flat=True).distinct())
    if not statuses:
        return [_("No worker is alive: start one with manage.py run_agenda_worker")]
    if Worker.Status.ACTIVE not in statuses:
        return [_("Every worker is quiet or ends: nothing new is started")]
    return []
