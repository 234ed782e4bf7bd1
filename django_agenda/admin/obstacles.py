"""What keeps work from being done, whatever the page is about: no Redis, nobody who works."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.worker import Worker
from django_agenda.scheduling.health import redis_error

from . import wording
from .memory import memory

if TYPE_CHECKING:
    from .read_only import ReadOnlyAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Count the workers that live, those of them that take something new, and how much of it."""

    living: int
    at_work: int
    capacity: int


def crew_of(living: Collection[tuple[str, int]]) -> Crew:
    """Count workers that live, given as status and how much each runs at once."""
    at_work = [many for status, many in living if status == Worker.Status.ACTIVE]
    return Crew(living=len(living), at_work=len(at_work), capacity=sum(at_work))


def crew_at(moment: datetime) -> Crew:
    """Count the workers in one statement."""
    silent_since = moment - get_settings().WORKER_TTL
    living = Worker.objects.filter(status__in=Worker.LIVING, beat_at__gte=silent_since)
    return crew_of(list(living.order_by().values_list("status", "concurrency")))


def obstacles() -> list[str]:
    """Return all of them: one statement."""
    return [*no_redis(), *nobody(crew_at(now()))]


def no_redis() -> list[str]:
    """Say that Redis does not answer; it is asked every other second, by one request at a time."""
    error = memory.recall("redis", redis_error)
    words = _("Redis does not answer; this is what the database says: %s")
    return [words % error] if error else []


def redis_refusal(
    admin: ReadOnlyAdmin, request: HttpRequest, error: str, back: str
) -> HttpResponse:
    """Answer 503: what was asked for cannot be done without Redis."""
    words = _("Redis does not answer")
    context = {**admin.frame(request, words), "title": words, "error": error, "back": back}
    return TemplateResponse(request, "admin/django_agenda/unavailable.html", context, status=503)


def nobody(crew: Crew, due: int = 0) -> list[str]:
    """Say that nothing is started; `due` is how many wait for that."""
    if crew.at_work:
        return []
    if crew.living:
        return [_("Every worker is quiet or ends: nothing new is started")]
    if due:
        words = _("No worker is alive, and %s are due: start one with manage.py run_agenda_worker")
        return [words % wording.count(due)]
    return [_("No worker is alive: start one with manage.py run_agenda_worker")]
