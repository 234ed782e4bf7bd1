"""What the page of an execution shows: its path, its facts, its attempts, its payload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import redaction, states, wording
from django_agenda.admin.actions.buttons import Button, button, fitting
from django_agenda.admin.actions.history import Deed, deeds
from django_agenda.admin.actions.of_executions import OF_EXECUTIONS
from django_agenda.admin.execution_table import may_see_payload, shown_message
from django_agenda.admin.holds import resume_queue_button
from django_agenda.admin.progress import Shown, progress_of
from django_agenda.admin.states import State
from django_agenda.clock import now
from django_agenda.models.attempt import Attempt
from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.errors import normalise
from django_agenda.models.execution import Execution
from django_agenda.models.queue import Queue
from django_agenda.models.schedule import Schedule
from django_agenda.models.worker import Worker
from django_agenda.tasks.registry import registered

from .family import Family, family_of
from .path import Stop, path_of
from .tracebacks import own_frames
from .words import paused_queue, sentence

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin
    from django_agenda.admin.read_only import ReadOnlyAdmin

_MOST_ATTEMPTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """Hold one try as it is shown."""

    number: int
    slug: str
    outcome: str
    worker: str
    started: SafeString | str
    lag: str
    run: str
    error: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Hold what only some may see, already without secrets."""

    args: str
    kwargs: str
    result: str
    traceback: str
    own_frames: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold everything that the template writes down."""

    execution: Execution
    state: State
    sentence: str
    is_known: bool
    progress: Shown | None
    family: Family | None
    path: list[Stop]
    facts: list[tuple[str, Any, str]]
    error: str
    message: str
    same_url: str
    group_url: str
    attempts: list[AttemptRow]
    payload: Payload | None
    neighbours: list[tuple[str, str, str]]
    buttons: list[Button]
    deeds: list[Deed]


def execution_page(admin: ActingAdmin, request: HttpRequest, execution: Execution) -> Page:
    """Gather the page."""
    moment, payload = now(), may_see_payload(request)
    paused = paused_queue(execution)
    return Page(
        execution=execution,
        state=states.of_execution(execution, moment, paused),
        sentence=sentence(admin, request, execution, moment, payload=payload, paused=paused),
        is_known=execution.task_name in registered(),
        progress=progress_of(execution),
        family=family_of(admin, request, execution, moment),
        path=path_of(execution, moment),
        facts=_facts(admin, request, execution, moment),
        error=execution.error_class,
        message=shown_message(execution, payload=payload),
        same_url=_same_url(admin, execution),
        group_url=_group_url(admin, request, execution),
        attempts=_attempts(execution, moment, payload=payload),
        payload=_payload(execution) if payload else None,
        neighbours=_neighbours(admin, request, execution),
        buttons=[
            button(admin, execution, action)
            for action in fitting(admin, request, execution, OF_EXECUTIONS)
        ]
        + [one for name in paused for one in resume_queue_button(admin, request, name)],
        deeds=deeds(execution, moment),
    )


def _facts(
    admin: ReadOnlyAdmin, request: HttpRequest, execution: Execution, moment: datetime
) -> list[tuple[str, Any, str]]:
    batch, schedule, worker = execution.batch, execution.schedule, execution.worker
    batch_url = admin.url_of(batch) if batch is not None and admin.can_see(request, Batch) else ""
    sees = schedule is not None and admin.can_see(request, Schedule)
    of = execution.callback_of_id
    found: list[tuple[str, Any, str]] = [
        (_("Task"), execution.task_name, ""),
        (_("Batch"), batch, batch_url),
        (_("Position"), "" if batch is None else f"{execution.position + 1} / {batch.total}", ""),
        (_("Key"), execution.key, ""),
        (_("Labels"), ", ".join(execution.labels), ""),
        (_("Queue"), execution.queue_name, admin.seen_list_url(request, Queue)),
        (_("Worker"), worker, admin.seen_list_url(request, Worker, q=worker)),
        (_("Priority"), execution.priority or "", ""),
        (_("Attempts"), f"{execution.attempts} / {execution.max_attempts}", ""),
        (_("Crashes"), execution.crashes or "", ""),
        (_("Expires"), wording.time_tag(execution.expires_at, moment), ""),
        (_("Schedule"), schedule, admin.url_of(schedule) if sees and schedule else ""),
        (_("Callback of"), of, admin.url_of(Batch(pk=of)) if of else ""),
        (_("Id"), execution.pk, ""),
    ]
    return [fact for fact in found if fact[1] not in (None, "")]


def _same_url(admin: ReadOnlyAdmin, execution: Execution) -> str:
    if not execution.error_fingerprint or execution.batch_id is None:
        return ""
    query = {
        "batch__id__exact": execution.batch_id,
        "error_fingerprint": execution.error_fingerprint,
    }
    return f"{admin.list_url(Execution)}?{urlencode(query)}"


def _group_url(admin: ReadOnlyAdmin, request: HttpRequest, execution: Execution) -> str:
    if not execution.error_fingerprint or not admin.can_see(request, ErrorGroup):
        return ""
    query = urlencode({"error": execution.error_fingerprint})
    return f"{admin.list_url(ErrorGroup)}?{query}"


def _attempts(execution: Execution, moment: datetime, *, payload: bool) -> list[AttemptRow]:
    found = execution.attempt_set.order_by("number")[:_MOST_ATTEMPTS]
    return [_attempt(attempt, moment, payload=payload) for attempt in found]


def _attempt(attempt: Attempt, moment: datetime, *, payload: bool) -> AttemptRow:
    slugs = {"succeeded": "succeeded", "cancelled": "cancelled", "retried": "retrying"}
    message = redaction.text(attempt.error_message)
    return AttemptRow(
        number=attempt.number,
        slug=slugs.get(attempt.outcome, "failed"),
        outcome=attempt.get_outcome_display(),
        worker=attempt.worker,
        started=wording.time_tag(attempt.started_at, moment, exact=True),
        lag="" if attempt.lag_ms is None else wording.duration(attempt.lag_ms),
        run="" if attempt.run_ms is None else wording.duration(attempt.run_ms),
        error=wording.short_task(attempt.error_class),
        message=message if payload else normalise(message),
        traceback=redaction.text(attempt.traceback) if payload else "",
    )


def _payload(execution: Execution) -> Payload:
    args, kwargs = redaction.arguments(execution)
    return Payload(
        args=args,
        kwargs=kwargs,
        result=redaction.result(execution) if execution.status == "succeeded" else "",
        traceback=redaction.text(execution.traceback),
        own_frames=own_frames(redaction.text(execution.traceback)),
    )


def _neighbours(
    admin: ActingAdmin, request: HttpRequest, execution: Execution
) -> list[tuple[str, str, str]]:
    if execution.batch_id is None:
        return []
    near = (execution.position - 1, execution.position + 1)
    members = admin.executions(request).filter(batch=execution.batch_id, position__in=near)
    rows = members.only("id", "key", "task_name", "position")
    found = []
    for row in rows:
        before = row.position < execution.position
        symbol = "‹" if before else "›"
        found.append(
            (
                symbol,
                f"#{row.position + 1} {row.key or wording.short_task(row.task_name)}",
                admin.url_of(row),
            )
        )
    return sorted(found, key=lambda item: item[0] != "‹")
