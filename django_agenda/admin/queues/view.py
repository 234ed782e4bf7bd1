"""Queues and health as a page of the admin, with a menu entry of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy

from django_agenda.admin.acting import ASKING, ActingAdmin, may_do
from django_agenda.admin.live_page import LivePageAdmin
from django_agenda.admin.obstacles import redis_refusal
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.execution import Execution
from django_agenda.models.queue import Queue
from django_agenda.scheduling.survey import queue_states

from .asks import ASKS, ask_of_queue
from .page import queues_page
from .repair import ask_for_repair


@admin.register(Queue)
class QueueAdmin(LivePageAdmin, ActingAdmin):
    """Show queues, Redis and health in the place of a list, and put right what differs."""

    page_actions: ClassVar = ASKS
    page_template = "admin/django_agenda/queues/page.html"
    page_title = gettext_lazy("Queues and health")

    def get_urls(self) -> list[URLPattern]:
        """Offer what can be asked as well."""
        repair = self.chunk_by_chunk(self.admin_site.admin_view(self.repair_view))
        ours = path("repair/", repair, name="django_agenda_queue_repair")
        return [*super().get_urls(), ours, self.act_path()]

    def page_parts(self, request: HttpRequest) -> dict[str, Any]:
        """Return queues, Redis and health."""
        return {"page": queues_page(self, request)}

    def act_on(self, request: HttpRequest, object_id: str, offer: Any) -> HttpResponse:
        """Ask for something of one queue, or carry it out; needs no Redis."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        states = queue_states(router.db_for_write(Execution))
        queue = next((one for one in states if one.name == unquote(object_id)), None)
        if queue is None:
            raise Http404
        return ask_of_queue(self, request, queue, offer)

    @method_decorator(ASKING)
    def repair_view(self, request: HttpRequest) -> HttpResponse:
        """Say what differs, or repair it; 503 when Redis does not answer."""
        if not (may_do(request, "repair_agenda") and self.has_view_permission(request)):
            raise PermissionDenied
        try:
            return ask_for_repair(self, request)
        except BrokerUnavailable as error:
            return redis_refusal(self, request, str(error), self.page_url())

    def page_url(self) -> str:
        """Return the address of the page on this admin site."""
        return self.list_url(Queue)

    def repair_url(self) -> str:
        """Return the address of the repair on this admin site."""
        name = "admin:django_agenda_queue_repair"
        return reverse(name, current_app=self.admin_site.name)
