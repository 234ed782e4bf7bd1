"""The list of executions, and the way to the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_agenda.admin import live, states, wording
from django_agenda.admin.acting import ActingAdmin
from django_agenda.admin.actions.of_executions import OF_EXECUTIONS
from django_agenda.admin.entries import ExecutionEntries
from django_agenda.admin.execution_table import may_see_payload, shown_message
from django_agenda.admin.filters import (
    DueFilter,
    LatenessFilter,
    LostFilter,
    StageFilter,
    StatusFilter,
    TaskFilter,
)
from django_agenda.admin.holds import linked
from django_agenda.admin.live_row import LiveRowAdmin
from django_agenda.admin.paging import LeanList
from django_agenda.admin.progress import words_of
from django_agenda.admin.search import search
from django_agenda.admin.span import MILLISECOND
from django_agenda.clock import now
from django_agenda.models.execution import Execution

from .page import execution_page

_PAYLOAD = ("args", "kwargs", "return_value")
_HEAVY = (*_PAYLOAD, "traceback", "batch__rollup", "batch__enqueue_error")
_LATE_MS = 1000


class ExecutionList(LeanList):
    """Leave out what the list does not show."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Defer payloads, which can be long; say what makes the index of an error fit."""
        found = super().get_queryset(request, *args, **kwargs).defer(*_HEAVY)
        if "error_fingerprint" in self.params:
            found = found.filter(error_fingerprint__gt="")
        return found.exclude(held_by="") if "held_by" in self.params else found


@admin.register(Execution)
class ExecutionAdmin(LiveRowAdmin, ActingAdmin):
    """Show each call, its plan and its outcome, and what can be done about it."""

    list_display = ("label", "state", "due", "run", "of")
    list_filter = (
        StatusFilter,
        DueFilter,
        StageFilter,
        LatenessFilter,
        TaskFilter,
        LostFilter,
        ExecutionEntries,
    )
    list_select_related = ("batch",)
    search_fields = ("key",)
    search_help_text = gettext_lazy(
        "A whole key, number, task, worker or error fingerprint; or error: and a part of its words"
    )
    lookups = frozenset(
        {
            *("batch", "batch__id__exact", "error_fingerprint", "error_class", "key"),
            *("task_name", "queue_name", "worker", "callback_of", "labels__contains", "held_by"),
            "parent",
        }
    )
    page_actions = OF_EXECUTIONS
    list_actions = OF_EXECUTIONS
    payload_fields = _PAYLOAD
    page_template = "admin/django_agenda/execution/page.html"
    empty_template = "admin/django_agenda/execution/empty.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list without payloads."""
        return ExecutionList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """See search()."""
        payload = may_see_payload(request)
        return search(queryset, search_term, payload=payload), False  # type: ignore[arg-type]

    def get_ordering(self, request: HttpRequest) -> tuple[str]:
        """List a batch in its own order, and all others by age, the newest first."""
        return ("position",) if "batch__id__exact" in request.GET else ("-id",)

    def page_context(self, request: HttpRequest, row: Execution) -> dict[str, Any]:
        """See execution_page()."""
        name = row.key or wording.short_task(row.task_name)
        title = name if row.batch_id is None else f"{name} #{row.position + 1}"
        return {
            "page": execution_page(self, request, row),
            "title": title,
            "live": self.live_of(request, row),
        }

    def live_of(self, request: HttpRequest, row: Execution) -> live.Live:
        """Return what changes while it has not ended."""
        return live.Live(
            url=self.live_url(row),
            tag=live.execution_tag(request, row),
            next_s=live.execution_next(row, now()),
        )

    @admin.display(description=gettext_lazy("execution"))
    def label(self, execution: Execution) -> SafeString:
        """Return its key above its task, or its task above the end of its id."""
        task = wording.short_task(execution.task_name)
        return format_html(
            '<span class="ag-name">{}</span><span class="ag-sub" title="{}">{}</span>',
            execution.key or task,
            execution.task_name,
            task if execution.key else wording.short_id(execution.pk),
        )

    @admin.display(description=gettext_lazy("state"))
    def state(self, execution: Execution) -> SafeString:
        """Return its state, by what it is held, and its error without particulars."""
        badge = states.of_execution(execution, now()).badge
        words = states.why_held(execution.held_by) or shown_message(execution, payload=False)[:90]
        name = wording.short_task(execution.error_class)
        if not words and not name:
            return badge
        return format_html(
            '{}<span class="ag-sub ag-error"><b>{}</b> {}</span>', badge, name, words
        )

    @admin.display(description=gettext_lazy("planned"))
    def due(self, execution: Execution) -> SafeString:
        """Return when it was to run, when it was to be tried again, and how late that started."""
        lag, moment, due_at = execution.lag_ms, now(), execution.due_at
        planned = due_at
        if execution.batch is not None:
            planned = execution.batch.start + execution.planned_offset_ms * MILLISECOND
        again = due_at - planned >= MILLISECOND
        return format_html(
            '<span class="ag-nowrap">{}</span><span class="ag-sub{}">{} {}</span>',
            wording.time_tag(planned, moment),
            " ag-late" if (lag or 0) > _LATE_MS else "",
            format_html(_("again {}"), wording.time_tag(due_at, moment)) if again else "",
            _lag(lag),
        )

    @admin.display(description=gettext_lazy("run"))
    def run(self, execution: Execution) -> SafeString:
        """Return how long it ran, in which try, and who ran it."""
        return format_html(
            '<span class="ag-nowrap">{}</span><span class="ag-sub ag-nowrap">{} / {} · {}</span>',
            _ran(execution),
            execution.attempts,
            execution.max_attempts,
            execution.worker or execution.queue_name,
        )

    @admin.display(description=gettext_lazy("batch"))
    def of(self, execution: Execution) -> SafeString | str:
        """Return a link to its batch."""
        if execution.batch is None:
            return format_html('<span class="ag-quiet">{}</span>', "–")
        return linked(str(execution.batch), self.url_of(execution.batch))


def _lag(lag_ms: int | None) -> str:
    if lag_ms is None:
        return ""
    words = wording.duration(lag_ms)
    return _("%(duration)s late") % {"duration": words} if lag_ms > _LATE_MS else f"+{words}"


def _ran(execution: Execution) -> str:
    """Return how far it is while it runs, and afterwards how long it ran."""
    if execution.status == Execution.Status.RUNNING:
        return words_of(execution) or "–"
    return "–" if execution.run_ms is None else wording.duration(execution.run_ms)
