"""What was begun again because its worker was lost while it had it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.models.attempt import Attempt
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker

from . import wording

PARAMETER = "lost_by"
ANY = "*"
# What a worker claimed at its start is written by its own clock.
_SKEW = timedelta(minutes=1)


def lost_attempts() -> QuerySet[Attempt]:
    """Return the attempts whose end nobody knows, and after which others were to follow."""
    lost = Attempt.objects.filter(outcome=Attempt.Outcome.LOST).order_by()
    return lost.exclude(execution__failed_stage=Execution.Stage.LOST)


def batch_words(batch: Batch, url: str) -> list[tuple[str, SafeString | str]]:
    """Say how many of a batch, and after which workers: one statement.

    `url` is that of the list of executions, empty for those who may not see it.
    """
    if batch.rollup:
        return []  # attempts are pruned with their executions
    found: Any = (
        lost_attempts()
        .filter(execution__batch=batch)
        .values_list("worker")
        .annotate(count=Count("execution", distinct=True))
        .order_by("worker")
    )
    return _fact(list(found), url, {"batch__id__exact": batch.pk, PARAMETER: ANY})


def worker_words(worker: Worker, url: str) -> list[tuple[str, SafeString | str]]:
    """Say how many this incarnation of a worker left behind. One statement, if it was lost."""
    if worker.status != Worker.Status.LOST:
        return []
    mine = Q(worker=worker.name, started_at__gte=worker.started_at - _SKEW)
    if worker.stopped_at is not None:
        mine &= Q(started_at__lte=worker.stopped_at)
    many = lost_attempts().filter(mine).values("execution").distinct().count()
    return _fact([(worker.name, many)] if many else [], url, {PARAMETER: worker.name})


def _fact(
    found: Sequence[tuple[str, int]], url: str, query: dict[str, object]
) -> list[tuple[str, SafeString | str]]:
    if not found:
        return []
    names = wording.some_names([name for name, _many in found])
    words = ngettext(
        "%(count)s after worker %(names)s was lost",
        "%(count)s after workers %(names)s were lost",
        len(found),
    )
    said = words % {"count": wording.count(sum(many for _name, many in found)), "names": names}
    link = format_html('<a href="{}?{}">{}</a>', url, urlencode(query), said) if url else said
    return [(_("Begun again"), link)]
