"""The list of workers below their cards, and the page of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_agenda.admin import live, wording
from django_agenda.admin.acting import ActingAdmin
from django_agenda.admin.actions.buttons import button, fitting
from django_agenda.admin.actions.history import deeds
from django_agenda.admin.actions.of_workers import OF_WORKERS
from django_agenda.admin.live_row import LiveRowAdmin
from django_agenda.admin.lost import worker_words
from django_agenda.admin.obstacles import no_redis
from django_agenda.admin.states import OUTCOMES
from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker

from .board import read_board, running
from .card import Card, card_of, load_bar, load_words, run_of
from .states import leader, state_of, wish_of

_MOST_RUNNING = 50
_NEXT_S = 5
_CHOICES = (5, 15, 30, 60, 0)


@admin.register(Worker)
class WorkerAdmin(LiveRowAdmin, ActingAdmin):
    """Show the processes that run executions, and ask them to rest, go on or end."""

    list_display = ("label", "state", "slots", "on_queues", "counts")
    list_filter = ("status",)
    search_fields = ("name", "hostname")
    page_actions = OF_WORKERS
    list_actions = OF_WORKERS
    page_template = "admin/django_agenda/worker/page.html"
    empty_template = "admin/django_agenda/worker/empty.html"
    news_template = "admin/django_agenda/worker/board.html"

    def news(self, request: HttpRequest) -> dict[str, Any]:
        """Return the cards above the list: they say what is new."""
        name = "admin:django_agenda_worker_new"
        return {
            "live": live.Live(
                url=reverse(name, args=[0], current_app=self.admin_site.name),
                tag=_tag(request),
                next_s=_NEXT_S,
                choices=_CHOICES,
            ),
            "board": read_board(self, request, now()),
            # What is to be said of workers the cards say.
            "obstacles": no_redis,
        }

    def news_view(self, request: HttpRequest, since: int) -> HttpResponse:
        """Answer with the cards; see the module `live`."""
        if not self.has_view_permission(request):
            raise PermissionDenied

        def render() -> str:
            return render_to_string(self.news_template, self.news(request), request)

        return live.answer(request, _tag(request), _NEXT_S, render)

    def live_of(self, request: HttpRequest, row: Worker) -> live.Live:
        """Return what changes with every heartbeat, while it lives."""
        return live.Live(
            url=self.live_url(row), tag=_tag(request), next_s=_next(row), choices=_CHOICES
        )

    def page_context(self, request: HttpRequest, row: Worker) -> dict[str, Any]:
        """Return its facts and what it runs."""
        moment = now()
        card = card_of(row, moment, url=self.url_of(row), leader=leader(moment))
        found = running(self, request).filter(claimed_by=row.pk).order_by("started_at", "pk")
        sees = self.can_see(request, Execution)
        return {
            "card": card,
            "buttons": [
                button(self, row, action) for action in fitting(self, request, row, OF_WORKERS)
            ],
            "deeds": deeds(row, moment),
            "facts": [
                *worker_words(row, self.list_url(Execution) if sees else ""),
                *_facts(row, card, moment),
            ],
            "runs": [run_of(one, moment, self.url_of(one)) for one in found[:_MOST_RUNNING]]
            if sees
            else [],
            "live": self.live_of(request, row),
        }

    @admin.display(description=gettext_lazy("worker"))
    def label(self, worker: Worker) -> SafeString:
        """Return its name, host and process."""
        return format_html(
            '<span class="ag-name">{}</span><span class="ag-sub">{}:{}</span>',
            worker.name,
            worker.hostname,
            worker.pid,
        )

    @admin.display(description=gettext_lazy("state"))
    def state(self, worker: Worker) -> SafeString:
        """Return its state, when it was heard of, and what it was asked for."""
        moment = now()
        return format_html(
            '{}<span class="ag-sub">{}</span><span class="ag-sub">{}</span>',
            state_of(worker, moment).badge,
            _("heartbeat %(when)s") % {"when": wording.distance(worker.beat_at, moment)},
            wish_of(worker, moment),
        )

    @admin.display(description=gettext_lazy("running"))
    def slots(self, worker: Worker) -> SafeString:
        """Return how many it runs of how many it could."""
        return format_html(
            '<span class="ag-cell-bar">{}</span><span class="ag-sub">{}</span>',
            load_bar(worker),
            load_words(worker),
        )

    @admin.display(description=gettext_lazy("ended"))
    def counts(self, worker: Worker) -> SafeString:
        """Return how many it has run, and how they ended."""
        shown = [("succeeded", worker.succeeded), ("failed", worker.failed)]
        return format_html_join(
            "",
            '<span class="ag-trouble" title="{}">{}{}</span>',
            ((OUTCOMES[slug].label, OUTCOMES[slug].icon, wording.count(n)) for slug, n in shown),
        )

    @admin.display(description=gettext_lazy("queues"))
    def on_queues(self, worker: Worker) -> str:
        """Return the queues that it serves."""
        return _("all") if worker.queues == "*" else worker.queues


def _facts(worker: Worker, card: Card, moment: datetime) -> list[tuple[str, Any]]:
    found = [
        (_("Host and process"), card.process),
        (_("Queues"), card.queues),
        (_("Memory"), card.memory),
        (_("Started"), wording.time_tag(worker.started_at, moment)),
        (_("Last heartbeat"), card.beat),
        (_("Stopped"), wording.time_tag(worker.stopped_at, moment)),
        (_("Succeeded"), wording.count(worker.succeeded)),
        (_("Failed"), wording.count(worker.failed)),
        (_("Id"), worker.pk),
    ]
    return [(name, value) for name, value in found if value not in (None, "")]


def _next(worker: Worker) -> int:
    return _NEXT_S if worker.status in Worker.LIVING else 0


def _tag(request: HttpRequest) -> str:
    """Return what changes with every heartbeat: to know more would cost as much as the page."""
    return live.make_tag(request, int(now().timestamp()) // _NEXT_S)
