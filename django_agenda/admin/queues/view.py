"""Queues and health as a page of the admin, with a menu entry of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.admin.acting import may_do
from django_agenda.admin.live_page import LivePageAdmin
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.execution import Execution
from django_agenda.models.queue import Queue
from django_agenda.scheduling.survey import queue_states

from .asks import ASKS, ask_of_queue
from .page import queues_page
from .repair import ask_for_repair

_ask = [csrf_protect, require_http_methods(["GET", "HEAD", "POST"])]


@admin.register(Queue)
class QueueAdmin(LivePageAdmin):
    """Show queues, Redis and health in the place of a list, and put right what differs."""

    page_template = "admin/django_agenda/queues/page.html"
    page_title = gettext_lazy("Queues and health")

    def get_urls(self) -> list[URLPattern]:
        """Offer what can be asked as well."""
        wrap, name = self.admin_site.admin_view, "django_agenda_queue"
        urls = [
            path("repair/", wrap(self.repair_view), name=f"{name}_repair"),
            path("<str:queue_name>/do/<slug:slug>/", wrap(self.act_view), name=f"{name}_do"),
        ]
        for url in urls:
            # The verbs change chunk by chunk, and tell Redis of each after its commit.
            transaction.non_atomic_requests(using=router.db_for_write(Execution))(url.callback)
        return [*super().get_urls(), *urls]

    def page_parts(self, request: HttpRequest) -> dict[str, Any]:
        """Return queues, Redis and health."""
        return {"page": queues_page(self, request)}

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
