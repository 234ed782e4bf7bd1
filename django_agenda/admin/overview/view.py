"""The overview as a page of the admin, with a menu entry of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Sum
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from django_agenda.admin import live
from django_agenda.admin.read_only import ReadOnlyAdmin
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.execution import Execution
from django_agenda.models.overview import Overview
from django_agenda.models.worker import Worker

from .page import overview_page, seen_rows

_NEXT_S = 5
_CHOICES = (5, 15, 30, 60, 0)
# What no count tells (single executions, heartbeats) is looked at this often.
_TICK_S = 15


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    """Show everything at once in the place of a list."""

    page_template = "admin/django_agenda/overview/page.html"

    def get_urls(self) -> list[URLPattern]:
        """Offer the page and its fragment, and nothing of a list."""
        site, name = self.admin_site, "django_agenda_overview"
        return [
            path("", site.admin_view(self.changelist_view), name=f"{name}_changelist"),
            path("live/", site.admin_view(self.live_view), name=f"{name}_live"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the page."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        context = self._context(request) | (extra_context or {})
        return TemplateResponse(request, self.page_template, context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with what the page shows by now; see the module `live`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return live.answer(request, self._tag(request), _NEXT_S, lambda: self._fragment(request))

    def _fragment(self, request: HttpRequest) -> str:
        context = self._context(request) | {"frame": live.FRAME}
        return render_to_string(self.page_template, context, request)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        name = self.admin_site.name
        url = reverse("admin:django_agenda_overview_live", current_app=name)
        return {
            **self.admin_site.each_context(request),
            "title": _("Overview"),
            "opts": self.opts,
            "media": self.media,
            "live": live.Live(url=url, tag=self._tag(request), next_s=_NEXT_S, choices=_CHOICES),
            # The breadcrumbs are those of a list.
            "cl": {"opts": self.opts},
            "page": overview_page(self, request),
            "batches_url": self.list_url(Batch),
            "executions_url": self.list_url(Execution),
            "workers_url": self.list_url(Worker),
            "errors_url": self.list_url(ErrorGroup) if self.can_see(request, ErrorGroup) else "",
        }

    def _tag(self, request: HttpRequest) -> str:
        """Return what changes whenever a batch that has not ended does, and now and then."""
        living = seen_rows(self.admin_site, request, Batch).filter(finished_at=None)
        state = living.aggregate(Count("pk"), Max("pk"), Sum("version"))
        tick = int(now().timestamp()) // _TICK_S
        return live.make_tag(request, *sorted(state.items()), tick)
