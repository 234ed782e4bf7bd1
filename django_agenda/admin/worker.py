"""The list of workers, and the page of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker

from . import charts, wording
from .acting import ActingAdmin
from .actions.buttons import button, fitting
from .actions.history import deeds
from .actions.of_workers import OF_WORKERS
from .states import OUTCOMES, SILENT, WORKERS, State

_MOST_RUNNING = 50


def state_of(worker: Worker, moment: datetime) -> State:
    """Return what a worker does; one that missed two heartbeats is silent, and then lost."""
    if worker.status not in Worker.LIVING:
        return WORKERS[worker.status]
    silence = moment - worker.beat_at
    if silence > get_settings().WORKER_TTL:
        return WORKERS[Worker.Status.LOST]
    return SILENT if silence > 2 * get_settings().HEARTBEAT else WORKERS[worker.status]


def wish_of(worker: Worker, moment: datetime) -> str:
    """Return what a worker was asked for and does not do yet: "quiet asked for 2 s ago"."""
    if worker.requested_at is None or worker.status not in Worker.AT_WORK:
        return ""
    does = "" if worker.status == Worker.Status.ACTIVE else worker.status
    if worker.requested == does:
        return ""
    words = {
        Worker.Request.QUIET: _("quiet asked for %(when)s"),
        Worker.Request.STOP: _("stop asked for %(when)s"),
    }
    said = words.get(Worker.Request(worker.requested)) if worker.requested else None
    when = wording.distance(min(worker.requested_at, moment), moment)
    return (said or _("resume asked for %(when)s")) % {"when": when}


@admin.register(Worker)
class WorkerAdmin(ActingAdmin):
    """Show the processes that run executions, and ask them to rest, go on or end."""

    list_display = ("label", "state", "load", "queues", "counts")
    list_filter = ("status",)
    search_fields = ("name", "hostname")
    page_actions = OF_WORKERS
    list_actions = OF_WORKERS
    page_template = "admin/django_agenda/worker/page.html"
    empty_template = "admin/django_agenda/worker/empty.html"

    def page_context(self, request: HttpRequest, row: Worker) -> dict[str, Any]:
        """Return its facts and what it runs."""
        moment = now()
        running: list[dict[str, Any]] = []
        if self.can_see(request, Execution):
            found = Execution.objects.filter(
                status=Execution.Status.RUNNING, claimed_by=row.pk, finished_at__isnull=True
            ).only("id", "task_name", "key", "started_at", "batch_id")
            running = [
                {
                    "url": self.url_of(execution),
                    "name": str(execution),
                    "task": execution.task_name,
                    "since": wording.time_tag(execution.started_at, moment),
                    "for": _age(execution.started_at, moment),
                }
                for execution in found.order_by("due_at")[:_MOST_RUNNING]
            ]
        return {
            "state": state_of(row, moment),
            "wish": wish_of(row, moment),
            "buttons": [
                button(self, row, action) for action in fitting(self, request, row, OF_WORKERS)
            ],
            "deeds": deeds(row, moment),
            "facts": _facts(row, moment),
            "running": running,
            "load": self.load(row),
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
    def load(self, worker: Worker) -> SafeString:
        """Return how many it runs of how many it could."""
        running = worker.running if worker.status in Worker.LIVING else 0
        words = f"{running} / {worker.concurrency}"
        share = {"running": min(running, worker.concurrency)}
        return format_html(
            '<span class="ag-cell-bar">{}</span><span class="ag-sub">{}</span>',
            charts.bar(share, worker.concurrency, words),
            words,
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


def _facts(worker: Worker, moment: datetime) -> list[tuple[str, Any]]:
    found = [
        (_("Host and process"), f"{worker.hostname}:{worker.pid}"),
        (_("Version"), worker.version),
        (_("Queues"), worker.queues),
        (_("Started"), wording.time_tag(worker.started_at, moment)),
        (_("Last heartbeat"), wording.distance(worker.beat_at, moment)),
        (_("Stopped"), wording.time_tag(worker.stopped_at, moment)),
        (_("Succeeded"), wording.count(worker.succeeded)),
        (_("Failed"), wording.count(worker.failed)),
        (_("Id"), worker.pk),
    ]
    return [(name, value) for name, value in found if value not in (None, "")]


def _age(started_at: datetime | None, moment: datetime) -> str:
    if started_at is None:
        return ""
    return wording.duration(max((moment - started_at).total_seconds() * 1000, 0))
