"""Some executions of a batch's span, in the order of the plan, page by page without counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.models.errors import normalise
from django_agenda.models.execution import Execution
from django_agenda.models.unread import read_rows

from . import redaction, states, wording
from .progress import words_of
from .span import MILLISECOND
from .states import State

if TYPE_CHECKING:
    from .batches.links import Links
    from .batches.slices import Histogram
    from .batches.subject import Subject
    from .read_only import ReadOnlyAdmin

SIZE = 25
_READ = (
    *("id", "batch_id", "position", "task_name", "key", "status", "held_by", "due_at"),
    *("planned_offset_ms", "lag_ms", "run_ms", "attempts", "max_attempts", "worker"),
    *("error_class", "error_message", "progress_done", "progress_total"),
    "queue_name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """Hold one execution as it is shown."""

    number: int
    name: str
    task: str
    arguments: str
    url: str
    state: State
    held_by: str
    planned: SafeString | str
    lag: str
    run: str
    attempts: str
    worker: str
    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Hold one page of rows and the way to the next."""

    rows: list[TableRow]
    count: str
    next_url: str
    first_url: str


def read_table(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    subject: Subject,
    histogram: Histogram,
    links: Links,
) -> Table:
    """Read one page after `?after=`, of the status that the page is filtered by."""
    rows = subject.in_span
    if links.status:
        rows = rows.filter(status=links.status)
    after = _place(request.GET.get("after", ""))
    if after is not None:
        offset, position = after
        same_moment = Q(planned_offset_ms=offset, position__gt=position)
        rows = rows.filter(Q(planned_offset_ms__gt=offset) | same_moment)
    payload = may_see_payload(request)
    given = ("args", "kwargs") if payload else ()
    found = read_rows(rows.only(*_READ, *given)[: SIZE + 1], *given)
    shown = found[:SIZE]
    count = histogram.of(links.status) if links.status else histogram.total
    return Table(
        rows=[_row(admin, subject, execution, payload=payload) for execution in shown],
        count=wording.count(count),
        next_url=_next(links, shown[-1]) if len(found) > SIZE else "",
        first_url=links.zoom(subject.span) + "#executions" if after else "",
    )


def may_see_payload(request: HttpRequest) -> bool:
    """Tell whether this user may see arguments, results and tracebacks."""
    return request.user.has_perm("django_agenda.view_payload")


def shown_message(execution: Execution, *, payload: bool) -> str:
    """Return an error's message; for those who may not see payloads, without its particulars."""
    message = redaction.text(execution.error_message)
    if payload:
        return message
    # Of what a policy has skipped it names the values of arguments.
    return "" if execution.status == Execution.Status.SKIPPED else normalise(message)


def _next(links: Links, last: Execution) -> str:
    return links.after(f"{last.planned_offset_ms}-{last.position}")


def _place(text: str) -> tuple[int, int] | None:
    offset, _, position = text.partition("-")
    if not (offset.isascii() and offset.isdigit() and position.isascii() and position.isdigit()):
        return None
    return (int(offset), int(position)) if max(len(offset), len(position)) <= 12 else None


def _row(
    admin: ReadOnlyAdmin, subject: Subject, execution: Execution, *, payload: bool
) -> TableRow:
    planned = subject.batch.start + execution.planned_offset_ms * MILLISECOND
    task = wording.short_task(execution.task_name)
    return TableRow(
        number=execution.position + 1,
        name=execution.key or f"{task} {wording.short_id(execution.pk)}",
        task=task if execution.key else "",
        arguments=redaction.brief(execution) if payload else "",
        url=admin.url_of(execution),
        state=states.of_execution(execution, subject.now, subject.paused),
        held_by=states.why_held(execution.held_by) or _paused(subject, execution),
        planned=wording.time_tag(planned, subject.now, exact=subject.span.length_ms < 600_000),
        lag="" if execution.lag_ms is None else wording.duration(execution.lag_ms),
        run=_ran(execution),
        attempts=f"{execution.attempts} / {execution.max_attempts}" if execution.attempts else "",
        worker=execution.worker,
        error=wording.short_task(execution.error_class),
        message=shown_message(execution, payload=payload)[:160],
    )


def _paused(subject: Subject, execution: Execution) -> str:
    is_held = execution.status in Execution.WAITING and execution.queue_name in subject.paused
    return _("queue %(name)s is paused") % {"name": execution.queue_name} if is_held else ""


def _ran(execution: Execution) -> str:
    if execution.status == Execution.Status.RUNNING:
        return words_of(execution)
    return "" if execution.run_ms is None else wording.duration(execution.run_ms)
