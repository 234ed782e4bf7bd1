"""What a batch was made of: how it was scattered, what it calls, and what scattered it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import redaction, wording
from django_agenda.admin.execution_table import may_see_payload
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.unread import read_rows
from django_agenda.tasks.registry import registered

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

_LONGEST = 300


def definition(admin: ActingAdmin, request: HttpRequest, batch: Batch) -> list[tuple[str, Any]]:
    """Return names and values, without those that are empty: two statements at most."""
    jitter = wording.duration(batch.jitter.total_seconds() * 1000) if batch.jitter else ""
    rows = admin.executions(request).filter(batch=batch)
    found: list[tuple[str, Any]] = [
        (_("Number"), batch.pk),
        (_("Key"), batch.key),
        (_("Labels"), ", ".join(batch.labels)),
        (_("Strategy"), batch.strategy),
        (_("Jitter"), f"± {jitter}" if jitter else ""),
        (_("Seed"), batch.seed),
        (_("Pauses at failures"), batch.max_failures),
        (_("On success"), batch.on_success),
        (_("On failure"), batch.on_failure),
        (_("On complete"), batch.on_complete),
        *_calls(rows, batch, payload=may_see_payload(request)),
        *_origin(admin, request, batch),
        (_("As a file"), _json_link(admin, batch)),
    ]
    return [(name, value) for name, value in found if value not in (None, "")]


def _calls(
    rows: QuerySet[Execution], batch: Batch, *, payload: bool
) -> list[tuple[str, SafeString | str]]:
    """Say what is called, as far as the first, the middle and the last of it tell."""
    places = {0, batch.total // 2, batch.total - 1}
    seen = rows.filter(position__in=places).order_by("position")
    given = ("args", "kwargs") if payload else ()
    calls = read_rows(seen.only("position", "task_name", *given), *given)
    if not calls:
        return []
    names = dict.fromkeys(call.task_name for call in calls)
    found: list[tuple[str, SafeString | str]] = [
        (_("Task"), ", ".join(names)),
        (_("Source"), ", ".join(filter(None, map(_source, names)))),
    ]
    if payload and calls[0].position == 0:
        words = " ".join(" ".join(redaction.arguments(calls[0])).split())
        shown = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
        found.append((_("First call"), format_html("<code>{}</code>", shown)))
    return found


def _source(name: str) -> str:
    """Return the module's file and the line of a task that this process knows."""
    task = registered().get(name)
    code = getattr(inspect.unwrap(task.function), "__code__", None) if task else None
    if task is None or code is None:
        return ""
    return f"{task.function.__module__.replace('.', '/')}.py:{code.co_firstlineno}"


def _json_link(admin: ActingAdmin, batch: Batch) -> SafeString:
    name = "admin:django_agenda_batch_json"
    url = reverse(name, args=[batch.pk], current_app=admin.admin_site.name)
    return format_html('<a href="{}">JSON</a>', url)


def _origin(admin: ActingAdmin, request: HttpRequest, batch: Batch) -> list[tuple[str, SafeString]]:
    """Return a link to the execution whose body has scattered it."""
    rows = admin.executions(request).only("key", "task_name")
    parent = rows.filter(pk=batch.parent_id).first() if batch.parent_id else None
    if parent is None or not admin.can_see(request, Execution):
        return []
    name = parent.key or wording.short_task(parent.task_name)
    return [(_("Scheduled by"), format_html('<a href="{}">{}</a>', admin.url_of(parent), name))]
