"""Gather the page of the kinds of errors: one value for the template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_agenda.admin import charts, redaction, wording
from django_agenda.admin.actions import of_executions
from django_agenda.admin.actions.buttons import Button, ask_button, button
from django_agenda.admin.actions.of_batches import ENQUEUE
from django_agenda.admin.actions.of_errors import CANCEL_TASK, RETRY
from django_agenda.admin.states import OUTCOMES, State
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.errors import normalise
from django_agenda.models.execution import Execution

from .groups import Group, Groups, read_groups, waiting_tasks
from .marks import fitting

if TYPE_CHECKING:
    from .view import ErrorGroupAdmin

# Shown by icon and colour as what comes closest among the states of an execution.
STATES = {
    ErrorGroup.State.OPEN.value: State("partly_failed", gettext_lazy("open")),
    ErrorGroup.State.RESOLVED.value: State("succeeded", gettext_lazy("resolved")),
    ErrorGroup.State.IGNORED.value: State("cancelled", gettext_lazy("ignored")),
}
_SLUGS = {"enqueue": "pending", "expired": "missed"}
_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one kind of error as it is shown."""

    group: Group
    slug: State
    stage: str
    name: str
    message: str
    task: str
    more_tasks: int
    hour: str
    day: str
    week: str
    share: str
    spark: SafeString
    first: SafeString | str
    last: SafeString | str
    state: State
    marked: str
    note: str
    url: str
    sample_url: str
    batch_url: str
    buttons: list[Button]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Hold a link that shows other kinds of errors."""

    label: str
    count: str
    query: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold everything that the template writes down."""

    sentence: str
    choices: list[Choice]
    rows: list[Row]
    more: int
    is_one: bool


def errors_page(admin: ErrorGroupAdmin, request: HttpRequest) -> Page:
    """Read what the address asks for; what it asks for in vain is as if it did not."""
    moment = now()
    only = request.GET.get("error", "")[:16].replace("\0", "")
    state = request.GET.get("state", "")
    if state not in (*STATES, _ALL):
        state = ErrorGroup.State.OPEN.value
    wanted = "" if only or state == _ALL else state
    executions = admin.executions(request)
    found = read_groups(executions, moment, state=wanted, only=only)
    waiting = waiting_tasks(executions) if admin.may(request, CANCEL_TASK) else None
    rows = [_row(admin, request, group, found.total, moment, waiting) for group in found.groups]
    return Page(
        sentence=_sentence(found, is_one=bool(only)),
        choices=_choices(found, "" if only else state, is_one=bool(only)),
        rows=rows,
        more=found.more,
        is_one=bool(only),
    )


def _sentence(found: Groups, *, is_one: bool) -> str:
    many = found.states[ErrorGroup.State.OPEN.value]
    if is_one:
        return _("One kind of error")
    if not many:
        return _("No error is open")
    words = ngettext("%(count)s open kind of error", "%(count)s open kinds of errors", many)
    return words % {"count": wording.count(many)}


def _choices(found: Groups, chosen: str, *, is_one: bool) -> list[Choice]:
    shown = [(slug, str(state.label), found.states[slug]) for slug, state in STATES.items()]
    shown.append((_ALL, _("all"), sum(found.states.values())))
    return [
        Choice(
            label=label,
            # With one alone the others were not counted.
            count="" if is_one else wording.count(many),
            query=f"?{urlencode({'state': slug})}",
            is_chosen=slug == chosen,
        )
        for slug, label, many in shown
    ]


def _row(
    admin: ErrorGroupAdmin,
    request: HttpRequest,
    group: Group,
    total: int,
    moment: datetime,
    waiting: set[str] | None,
) -> Row:
    sample = group.sample
    slug = OUTCOMES[_SLUGS.get(sample.failed_stage, "failed")]
    query = urlencode({"error_fingerprint": group.fingerprint})
    sees = admin.can_see(request, Execution)
    is_one_batch = group.batches == 1 and admin.can_see(request, Batch)
    return Row(
        group=group,
        slug=slug,
        stage=sample.get_failed_stage_display() or str(slug.label),
        name=wording.short_task(sample.error_class),
        message=normalise(redaction.text(sample.error_message)),
        task=wording.short_task(sample.task_name),
        more_tasks=group.tasks - 1,
        hour=wording.count(group.hour),
        day=wording.count(group.day),
        week=wording.count(group.week),
        share=wording.percent(group.week, total),
        spark=charts.spark({slug.slug: group.line}, _("The last 7 days")),
        first=wording.time_tag(group.first, moment, seconds=False),
        last=wording.time_tag(group.last, moment, seconds=False),
        state=STATES[group.state],
        marked=_marked(group, moment),
        note=group.mark.note if group.mark else "",
        url=f"{admin.list_url(Execution)}?{query}" if sees else "",
        sample_url=admin.url_of(Execution(pk=group.sample_id)) if sees else "",
        batch_url=admin.url_of(Batch(pk=group.one_batch)) if is_one_batch else "",
        buttons=_buttons(admin, request, group, waiting),
    )


def _marked(group: Group, moment: datetime) -> str:
    """Say who made what of it, and that it came again, if it did."""
    mark = group.mark
    if mark is None:
        return ""
    who = {"user": mark.changed_by, "when": wording.distance(mark.changed_at, moment)}
    if mark.state == ErrorGroup.State.RESOLVED and group.state != mark.state:
        return _("came again; resolved by %(user)s %(when)s") % who
    if mark.state == ErrorGroup.State.OPEN:
        return _("reopened by %(user)s %(when)s") % who
    return _("by %(user)s %(when)s") % who


def _buttons(
    admin: ErrorGroupAdmin, request: HttpRequest, group: Group, waiting: set[str] | None
) -> list[Button]:
    row, task = ErrorGroup(pk=group.fingerprint), group.sample.task_name
    found = []
    if group.ended and admin.may(request, RETRY):
        found.append(button(admin, row, RETRY, count=group.ended))
    if group.refused and admin.may(request, ENQUEUE) and admin.can_see(request, Batch):
        found.append(button(admin, row, ENQUEUE if group.batches else of_executions.ENQUEUE))
    # Of several tasks only one is known here: another one may wait.
    may_wait = waiting is None or task in waiting or group.tasks > 1
    is_open = group.state == ErrorGroup.State.OPEN
    if is_open and may_wait and admin.may(request, CANCEL_TASK):
        words = CANCEL_TASK.label if group.tasks > 1 else _("Cancel all waiting of %(task)s")
        named = str(words) % {"task": wording.short_task(task)}
        found.append(ask_button(admin, row, CANCEL_TASK, named))
    offers = [one for one in fitting(group.state) if admin.may(request, one)]
    return found + [ask_button(admin, row, one) for one in offers]
