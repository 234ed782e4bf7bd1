"""The executions that the timeline of a batch draws one by one, each with its earlier attempts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext as _

from django_agenda.admin import states, wording
from django_agenda.admin.span import MILLISECOND
from django_agenda.admin.timeline.rows import Item, Try
from django_agenda.models.attempt import Attempt
from django_agenda.models.execution import Execution

from .subject import Subject

_READ = (
    *("id", "batch_id", "position", "task_name", "key", "status", "held_by", "attempts"),
    *("due_at", "planned_offset_ms", "slot_offset_ms", "started_at", "finished_at", "lag_ms"),
    *("run_ms", "error_class", "queue_name"),
)
_READ_OF_TRIES = (
    *("execution_id", "number", "outcome", "started_at", "finished_at", "run_ms", "error_class"),
)
# Of what was tried more often, the latest.
_MOST_TRIES = 10


def read_rows(subject: Subject) -> list[Execution]:
    """Return the executions of the span: one statement."""
    return list(subject.in_span.only(*_READ))


def items_of(subject: Subject, found: Sequence[Execution]) -> list[Item]:
    """Return what is drawn of each: one statement, if any of them was tried before."""
    tries = _read_tries(subject, found)
    return [_item(subject, row, tries.get(row.pk, ())) for row in found]


def _read_tries(subject: Subject, found: Sequence[Execution]) -> dict[UUID, list[Try]]:
    earlier = {row.pk: many for row in found if (many := _earlier(row)) > 0}
    if not earlier:
        return {}
    rows = Attempt.objects.using(subject.rows.db).filter(
        execution__in=list(earlier),
        # Not attempts - n, which MariaDB refuses below zero.
        execution__attempts__lte=F("number") + _MOST_TRIES,
        started_at__isnull=False,
    )
    tries: dict[UUID, list[Try]] = {}
    for attempt in rows.only(*_READ_OF_TRIES).order_by("execution_id", "number"):
        if attempt.number <= earlier[attempt.execution_id]:
            tries.setdefault(attempt.execution_id, []).append(_try(subject, attempt))
    return tries


def _earlier(execution: Execution) -> int:
    """Return how often it was tried before the try that its own bar shows."""
    return execution.attempts - (execution.started_at is not None)


def _try(subject: Subject, attempt: Attempt) -> Try:
    started_at = attempt.started_at or attempt.finished_at
    started = (started_at - subject.batch.start) // MILLISECOND
    ended = (attempt.finished_at - subject.batch.start) // MILLISECOND
    parts = [
        _("attempt %(number)s") % {"number": attempt.number},
        str(Attempt.Outcome(attempt.outcome).label),
        wording.clock_time(started_at, subject.now, exact=True),
    ]
    if attempt.run_ms is not None:
        ended = started + attempt.run_ms
        parts.append(_("ran %(duration)s") % {"duration": wording.duration(attempt.run_ms)})
    if attempt.error_class:
        parts.append(wording.short_task(attempt.error_class))
    return Try(title=" · ".join(parts), started_ms=started, ended_ms=ended)


def _item(subject: Subject, execution: Execution, tries: Sequence[Try]) -> Item:
    state = states.of_execution(execution, subject.now, subject.paused)
    begin = subject.batch.start
    started = ended = waits = None
    if execution.started_at is not None:
        started = (execution.started_at - begin) // MILLISECOND
        if execution.status == Execution.Status.RUNNING:
            ended = subject.now_ms
        elif execution.run_ms is not None:
            ended = started + execution.run_ms
    if state is states.DUE:
        waits = subject.now_ms
    elif state is states.RETRYING:
        waits = (execution.due_at - begin) // MILLISECOND
    return Item(
        slug=state.slug,
        title=_title(execution, state, subject),
        label=execution.key or f"#{execution.position + 1}",
        url=subject.execution_url(execution),
        planned_ms=execution.planned_offset_ms,
        started_ms=started,
        ended_ms=ended,
        waits_until_ms=waits,
        tries=tries,
    )


def _title(execution: Execution, state: states.State, subject: Subject) -> str:
    planned = subject.batch.start + execution.planned_offset_ms * MILLISECOND
    parts = [
        f"#{execution.position + 1} {execution.key or wording.short_task(execution.task_name)}",
        str(state.label),
        _("planned %(time)s") % {"time": wording.clock_time(planned, subject.now, exact=True)},
    ]
    if execution.attempts > 1:
        parts.append(_("attempt %(number)s") % {"number": execution.attempts})
    if execution.status == Execution.Status.RUNNING:
        # What its row says of lateness, run and error is still that of the attempt before.
        return " · ".join(parts)
    if execution.lag_ms is not None:
        parts.append(_("%(duration)s late") % {"duration": wording.duration(execution.lag_ms)})
    if execution.run_ms is not None:
        parts.append(_("ran %(duration)s") % {"duration": wording.duration(execution.run_ms)})
    if execution.error_class:
        parts.append(wording.short_task(execution.error_class))
    return " · ".join(parts)
