"""The list of batches, and the way to the page of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import router
from django.db.models import Model, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_agenda.admin import charts, live, states, wording
from django_agenda.admin.acting import ActingAdmin
from django_agenda.admin.actions.of_batches import OF_BATCH_LISTS, OF_BATCHES, STOP_RETRYING
from django_agenda.admin.due_later import later_of, later_words
from django_agenda.admin.entries import BatchEntries
from django_agenda.admin.execution_table import may_see_payload
from django_agenda.admin.filters import (
    BatchTroubleFilter,
    BatchWindowFilter,
    SourceFilter,
    StatusFilter,
)
from django_agenda.admin.numbers import within
from django_agenda.admin.plan.view import plan_view
from django_agenda.admin.search import search_batches
from django_agenda.admin.states import OUTCOMES
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation
from django_agenda.models.transactions import one_snapshot

from .export import as_csv, as_json, described
from .listing import BatchList
from .operations import operations_of
from .page import batch_page

_LATE_MS = 1000


@admin.register(Batch)
class BatchAdmin(ActingAdmin):
    """Show what was scattered, what came of it, and what can be done about it."""

    list_display = ("label", "state", "outcome", "window")
    list_filter = (StatusFilter, BatchTroubleFilter, BatchWindowFilter, SourceFilter, BatchEntries)
    search_fields = ("name",)
    search_help_text = gettext_lazy(
        "Part of a name, or a whole key, number or label; or key:, label:, task:, worker: or error:"
    )
    ordering = ("-id",)
    lookups = frozenset({"key", "labels__contains"})
    page_actions = (*OF_BATCHES, STOP_RETRYING)
    list_actions = OF_BATCH_LISTS
    page_template = "admin/django_agenda/batch/page.html"
    empty_template = "admin/django_agenda/batch/empty.html"

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.actions = [*self.actions, "export_csv", "export_json"]

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, rows: QuerySet[Batch]) -> StreamingHttpResponse:
        """See as_csv()."""
        return as_csv(rows)

    @admin.action(description=gettext_lazy("Export as JSON"), permissions=["view"])
    def export_json(self, request: HttpRequest, rows: QuerySet[Batch]) -> StreamingHttpResponse:
        """See as_json()."""
        return as_json(rows)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this user may plan a new batch."""
        return self.has_enqueue_permission(request) and self.has_view_permission(request)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """See plan_view()."""
        return plan_view(self, request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that draws."""
        return BatchList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """See search_batches()."""
        return search_batches(queryset, search_term, payload=may_see_payload(request)), False

    def get_urls(self) -> list[URLPattern]:
        """Add the fragment of a batch's page, and the batch as JSON."""
        wrap = self.admin_site.admin_view
        live_name, json_name = "django_agenda_batch_live", "django_agenda_batch_json"
        return [
            path("<path:object_id>/live/", wrap(self.live_view), name=live_name),
            path("<path:object_id>/json/", wrap(self.json_view), name=json_name),
            *super().get_urls(),
        ]

    def page_context(self, request: HttpRequest, row: Batch) -> dict[str, Any]:
        """See batch_page()."""
        moment = now()
        return self._shown(request, row, moment, operations_of(self, request, row, moment))

    def _shown(
        self, request: HttpRequest, row: Batch, moment: datetime, under_way: list[Operation]
    ) -> dict[str, Any]:
        url = reverse(
            "admin:django_agenda_batch_live", args=[row.pk], current_app=self.admin_site.name
        )
        return {
            "page": batch_page(self, request, row, under_way),
            "live": live.Live(
                url=url,
                tag=live.batch_tag(request, row, moment, under_way),
                next_s=live.batch_next(row, moment, under_way),
            ),
        }

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show one batch, and all that is on its page as of one moment."""
        with one_snapshot(router.db_for_read(Batch)):
            return super().change_view(request, *args, **kwargs)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with what a batch's page shows by now; see the module `live`."""
        with one_snapshot(router.db_for_read(Batch)):
            return self._live_view(request, object_id)

    def _live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        batch = self.seen_row(request, object_id)
        if batch is None:
            raise Http404
        moment = now()
        under_way = operations_of(self, request, batch, moment)
        return live.answer(
            request,
            live.batch_tag(request, batch, moment, under_way),
            live.batch_next(batch, moment, under_way),
            lambda: self.fragment(request, batch, self._shown(request, batch, moment, under_way)),
        )

    def json_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with a batch as plain values; see described()."""
        batch = self.seen_row(request, object_id)
        if batch is None:
            raise Http404
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return JsonResponse(described(batch), json_dumps_params={"indent": 2})

    @admin.display(description=gettext_lazy("batch"))
    def label(self, batch: Batch) -> SafeString:
        """Return its name, key and labels."""
        labels = format_html_join(
            "", '<span class="ag-label">{}</span>', ((x,) for x in batch.labels)
        )
        key = format_html('<span class="ag-key">{}</span>', batch.key) if batch.key else ""
        title = batch.name or _("Batch %(number)s") % {"number": batch.pk}
        return format_html(
            '<span class="ag-name">{}</span><span class="ag-sub">#{} {}{}</span>{}',
            title,
            batch.pk,
            key,
            labels,
            _made_by(getattr(batch, "maker", "")),
        )

    @admin.display(description=gettext_lazy("state"))
    def state(self, batch: Batch) -> SafeString:
        """Return its state and its flags."""
        shown = [states.of_batch(batch), *states.flags_of(batch)]
        return format_html_join(" ", "{}", ((state.badge,) for state in shown))

    @admin.display(description=gettext_lazy("outcome"))
    def outcome(self, batch: Batch) -> SafeString:
        """Return how much of it has ended, how, and links to what did not go well."""
        counts = {slug: getattr(batch, slug) for slug in OUTCOMES}
        done = _("%(done)s of %(total)s") % {
            "done": wording.count(batch.done),
            "total": wording.count(batch.total),
        }
        return format_html(
            '<span class="ag-cell-bar">{}</span><span class="ag-sub">{}</span>{}',
            charts.bar(counts, batch.total, wording.batch_sentence(batch)),
            done,
            self._trouble(batch),
        )

    @admin.display(description=gettext_lazy("window"))
    def window(self, batch: Batch) -> SafeString:
        """Return the plan as a small drawing, and where it lies."""
        moment = now()
        return format_html(
            '{}<span class="ag-sub">{} · {}</span><span class="ag-sub">{}</span>{}',
            getattr(batch, "spark", ""),
            wording.time_tag(batch.start, moment, seconds=False),
            wording.duration(batch.over.total_seconds() * 1000),
            _window_words(batch, moment),
            _late(getattr(batch, "late_ms", None)),
        )

    def _trouble(self, batch: Batch) -> SafeString:
        if not self.admin_site.is_registered(Execution):
            return SafeString("")
        address = f"{self.list_url(Execution)}?batch__id__exact={batch.pk}&status__exact="
        found = [
            (slug, address + slug, state.label, state.icon, wording.count(many))
            for slug in ("failed", "missed", "pending")
            if (many := getattr(batch, slug)) and (state := OUTCOMES[slug])
        ]
        return format_html_join(
            "", '<a class="ag-trouble ag-s-{}" href="{}" title="{}">{}{}</a>', found
        )


def _made_by(maker: str) -> SafeString | str:
    return format_html('<span class="ag-sub">{}</span>', _("by %s") % maker) if maker else ""


def _late(late_ms: float | None) -> SafeString | str:
    if late_ms is None:
        return ""
    return format_html(
        '<span class="ag-sub{}" title="{}">{} {}</span>',
        " ag-late" if late_ms > _LATE_MS else "",
        _("95 of 100 started no later than this after their moment"),
        within(95),
        wording.duration(late_ms),
    )


def _window_words(batch: Batch, moment: datetime) -> str:
    if batch.is_finished:
        ended = wording.distance(batch.finished_at or batch.created_at, moment)
        return _("ended %(when)s") % {"when": ended}
    if moment < batch.start:
        return wording.distance(batch.start, moment)
    if moment < batch.end:
        left = wording.duration((batch.end - moment).total_seconds() * 1000)
        return _("%(duration)s left") % {"duration": left}
    over = wording.duration((moment - batch.end).total_seconds() * 1000)
    return later_words(later_of(batch), moment) or _("over for %(duration)s") % {"duration": over}
