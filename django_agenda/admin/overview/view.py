"""The overview as a page of the admin, with a menu entry of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import router
from django.db.models import Count, Max, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from django_agenda.admin import live
from django_agenda.admin.live_page import LivePageAdmin
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.execution import Execution
from django_agenda.models.overview import Overview
from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import one_snapshot
from django_agenda.models.worker import Worker

from .page import overview_page, seen_rows

# What no count tells (single executions, heartbeats) is looked at this often.
_TICK_S = 15


@admin.register(Overview)
class OverviewAdmin(LivePageAdmin):
    """Show everything at once in the place of a list."""

    page_template = "admin/django_agenda/overview/page.html"
    page_title = gettext_lazy("Overview")

    def page_parts(self, request: HttpRequest) -> dict[str, Any]:
        """Return the load, what needs attention, and where more is to be seen."""
        with one_snapshot(router.db_for_read(Batch)):
            page = overview_page(self, request)
        return {
            "page": page,
            "batches_url": self.seen_list_url(request, Batch),
            "executions_url": self.seen_list_url(request, Execution),
            "workers_url": self.seen_list_url(request, Worker),
            "schedules_url": self.seen_list_url(request, Schedule),
            "errors_url": self.seen_list_url(request, ErrorGroup),
        }

    def page_tag(self, request: HttpRequest) -> str:
        """Return what changes whenever a batch that has not ended does, and now and then."""
        living = seen_rows(self.admin_site, request, Batch).filter(finished_at=None)
        state = living.aggregate(Count("pk"), Max("pk"), Sum("version"))
        tick = int(now().timestamp()) // _TICK_S
        return live.make_tag(request, *sorted(state.items()), tick)
