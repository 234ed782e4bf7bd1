"""What speaks against a plan: the past, the pace, pauses, and what else is planned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncMinute
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.admin import wording
from django_agenda.admin.obstacles import crew_at
from django_agenda.admin.overview.scope import planned_between, read_scope
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .plan import Plan

LATELY = timedelta(hours=3)
_MOST_NAMED = 3
# Whoever plans from "now" and reads the page is no later than this.
_GRACE = timedelta(seconds=30)


def measured(rows: QuerySet[Execution], batches: QuerySet[Batch], moment: datetime) -> int:
    """Return how many ended in the busiest of the last minutes: two statements."""
    since = moment - LATELY
    scope = read_scope(batches, moment)
    members = planned_between(scope.between(since, moment), since, moment)
    found = (
        rows.filter(
            members | Q(batch=None, due_at__gte=since),
            status__in=(Execution.Status.SUCCEEDED, Execution.Status.FAILED),
            finished_at__gte=since,
        )
        .order_by()
        .annotate(minute=TruncMinute("finished_at", tzinfo=UTC))
        .values_list("minute")
        .annotate(count=Count("pk"))
        .order_by("-count")
    )
    busiest = found.first()
    return busiest[1] if busiest else 0


def doubts(
    plan: Plan,
    rows: QuerySet[Execution],
    batches: QuerySet[Batch],
    busiest: int,
    moment: datetime,
) -> list[str]:
    """Return what there is to think about before it is confirmed, in words: four statements."""
    others = _others(plan, rows)
    return [
        *_past(plan, moment),
        *_too_fast(plan, others, busiest),
        *_held(plan, batches),
        *_crowded(sum(others.values())),
        *_nobody(moment),
    ]


def _past(plan: Plan, moment: datetime) -> list[str]:
    if moment - plan.window.start <= _GRACE:
        return []
    over = sum(planned <= moment for planned in plan.moments)
    words = ngettext(
        "It begins in the past: %(count)s moment is over, and is due at once.",
        "It begins in the past: %(count)s moments are over, and are due at once.",
        over,
    )
    return [words % {"count": wording.count(over)}]


def _too_fast(plan: Plan, others: Mapping[datetime, int], busiest: int) -> list[str]:
    """Hold its fullest minute against what was measured: alone, or with what is planned already."""
    most = {"busiest": wording.count(busiest)}
    if not busiest:
        return []
    if plan.fullest_minute > busiest:
        words = _(
            "It is faster than what was measured: its fullest minute has %(fullest)s, and in the"
            " last 3 hours no more than %(busiest)s ended in a minute."
        )
        return [words % {**most, "fullest": wording.count(plan.fullest_minute)}]
    own = plan.minutes
    together = max((many + others.get(minute, 0) for minute, many in own.items()), default=0)
    if together <= busiest:
        return []
    words = _(
        "With what is planned already it is faster than what was measured: the fullest minute of"
        " both has %(fullest)s, and in the last 3 hours no more than %(busiest)s ended in a minute."
    )
    return [words % {**most, "fullest": wording.count(together)}]


def _held(plan: Plan, batches: QuerySet[Batch]) -> list[str]:
    begin, end = plan.window.start, plan.window.end
    found = []
    if PausedQueue.objects.filter(name=plan.queue_name).exists():
        words = _("The queue %(name)s is paused: nothing of it runs until it is resumed.")
        found.append(words % {"name": plan.queue_name})
    paused = batches.filter(
        paused_at__isnull=False, finished_at=None, start__lte=end, start__gte=begin - F("over")
    ).order_by("-pk")
    named = [str(batch) for batch in paused.only("name")[: _MOST_NAMED + 1]]
    if named:
        names = ", ".join(named[:_MOST_NAMED]) + (" …" if len(named) > _MOST_NAMED else "")
        words = _("A paused batch has its window at the same time: %(names)s.")
        found.append(words % {"names": names})
    return found


def _others(plan: Plan, rows: QuerySet[Execution]) -> dict[datetime, int]:
    """Count what else is planned in the window, by minute."""
    begin, end = plan.window.start, plan.window.end
    others = rows.filter(
        status__in=Execution.WAITING, finished_at=None, due_at__range=(begin, end)
    ).order_by()
    by_minute = others.annotate(minute=TruncMinute("due_at", tzinfo=UTC)).values_list("minute")
    return dict(by_minute.annotate(count=Count("pk")))


def _crowded(many: int) -> list[str]:
    words = ngettext(
        "%(count)s other execution is planned in this window.",
        "%(count)s other executions are planned in this window.",
        many,
    )
    return [words % {"count": wording.count(many)}] if many else []


def _nobody(moment: datetime) -> list[str]:
    return [] if crew_at(moment).living else [_("No worker is alive.")]
