"""Queues and health as a page of the admin, with a menu entry of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.admin import live
from django_agenda.admin.acting import may_do
from django_agenda.admin.read_only import ReadOnlyAdmin
from django_agenda.clock import now
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.execution import Execution
from django_agenda.models.queue import Queue
from django_agenda.scheduling.survey import queue_states

from .asks import ASKS, ask_of_queue
from .page import queues_page
from .repair import ask_for_repair

_NEXT_S = 5
_CHOICES = (5, 15, 30, 60, 0)
_ask = [csrf_protect, require_http_methods(["GET", "HEAD", "POST"])]


@admin.register(Queue)
class QueueAdmin(ReadOnlyAdmin):
    """Show queues, Redis and health in the place of a list, and put right what differs."""

    page_template = "admin/django_agenda/queues/page.html"

    def get_urls(self) -> list[URLPattern]:
        """Offer the page, its fragment and what can be asked, and nothing of a list."""
        wrap, name = self.admin_site.admin_view, "django_agenda_queue"
        urls = [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("live/", wrap(self.live_view), name=f"{name}_live"),
            path("repair/", wrap(self.repair_view), name=f"{name}_repair"),
            path("<str:queue_name>/do/<slug:slug>/", wrap(self.act_view), name=f"{name}_do"),
        ]
        for url in urls[2:]:
            # The verbs change chunk by chunk, and tell Redis of each after its commit.
            transaction.non_atomic_requests(using=router.db_for_write(Execution))(url.callback)
        return urls

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

    @method_decorator(_ask)
    def act_view(self, request: HttpRequest, queue_name: str, slug: str) -> HttpResponse:
        """Ask for something of one queue, or carry it out; needs no Redis."""
        if slug not in ASKS:
            raise Http404
        self._check(request, "control_batch")
        states = queue_states(router.db_for_write(Execution))
        queue = next((one for one in states if one.name == unquote(queue_name)), None)
        if queue is None:
            raise Http404
        return ask_of_queue(self, request, queue, ASKS[slug])

    @method_decorator(_ask)
    def repair_view(self, request: HttpRequest) -> HttpResponse:
        """Say what differs, or repair it; 503 when Redis does not answer."""
        self._check(request, "repair_agenda")
        try:
            return ask_for_repair(self, request)
        except BrokerUnavailable as error:
            words = _("Redis does not answer")
            context = {**self.frame(request, words), "title": words, "error": str(error)}
            context["back"] = self.page_url()
            template = "admin/django_agenda/queues/unavailable.html"
            return TemplateResponse(request, template, context, status=503)

    def page_url(self) -> str:
        """Return the address of the page on this admin site."""
        return self.list_url(Queue)

    def repair_url(self) -> str:
        """Return the address of the repair on this admin site."""
        name = "admin:django_agenda_queue_repair"
        return reverse(name, current_app=self.admin_site.name)

    def _check(self, request: HttpRequest, codename: str) -> None:
        if not (may_do(request, codename) and self.has_view_permission(request)):
            raise PermissionDenied

    def _fragment(self, request: HttpRequest) -> str:
        context = self._context(request) | {"frame": live.FRAME}
        return render_to_string(self.page_template, context, request)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        url = reverse("admin:django_agenda_queue_live", current_app=self.admin_site.name)
        return {
            **self.admin_site.each_context(request),
            "title": _("Queues and health"),
            "opts": self.opts,
            "media": self.media,
            "live": live.Live(url=url, tag=self._tag(request), next_s=_NEXT_S, choices=_CHOICES),
            # The breadcrumbs are those of a list.
            "cl": {"opts": self.opts},
            "page": queues_page(self, request),
        }

    def _tag(self, request: HttpRequest) -> str:
        """Return what changes with time: to know more would cost as much as the page."""
        return live.make_tag(request, int(now().timestamp()) // _NEXT_S)
