"""Every kind of page of the admin, found as people find it: by following links.

A page that is added to the admin is walked to as soon as something links to it; what it needs in
the database is added to furnish().
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import timedelta
from html import unescape
from urllib.parse import urljoin, urlsplit

from django.contrib import admin
from django.test import Client
from django.urls import resolve, reverse

from django_agenda import strike
from django_agenda.clock import now
from tests import tasks
from tests.factories import (
    AttemptFactory,
    ExecutionFactory,
    Scene,
    ScheduleFactory,
    WorkerFactory,
    flood,
)

_OURS = "/admin/django_agenda/"
_LINK = re.compile(r'<a\b[^>]*?\shref="([^"#?]+)')
_GIVEN = ("object_id", "pk", "content_type_id")


def furnish() -> None:
    """Fill the tables with everything that pages show differently."""
    flood(5300, over=timedelta(days=1), name="A" * 80, labels=["mail", "shop"])
    flood(900, scene=Scene(elapsed=2.0, refused=0))
    ExecutionFactory.create_batch(3, due_at=now())
    AttemptFactory.create(execution__status="failed", execution__finished_at=now())
    ScheduleFactory.create(enabled=False, next_at=None, name="Backup")
    ScheduleFactory.create(name="Digest")
    WorkerFactory.create_batch(2, running=3)
    WorkerFactory.create(beat_at=now() - timedelta(hours=1))
    struck = strike(tasks.add, "a", "between", (7, 9), reason="A wrong letterhead")
    ExecutionFactory.create(task_name=tasks.add.name, args=[7, 0], held_by=struck.held_by)
    letters = flood(60, name="Reminders", key="reminders-47", scene=Scene(failing=0.2, missing=0.1))
    for failed in letters.executions.filter(status="failed", started_at__isnull=False):
        started = letters.start + failed.planned_offset_ms * timedelta(milliseconds=1)
        AttemptFactory.create(execution=failed, started_at=started, run_ms=900_000)
        failed.started_at = started + timedelta(minutes=40)
        failed.save(update_fields=["started_at"])


def lists() -> list[str]:
    """Return the addresses of the lists, and of the pages that have no rows."""
    models = [
        model for model in admin.site._registry if model.__module__.startswith("django_agenda")
    ]
    return [reverse(f"admin:django_agenda_{one._meta.model_name}_changelist") for one in models]


def pages(client: Client) -> list[str]:
    """Return one address of each kind of page that can be reached."""
    found = {_kind(address): address for address in lists()}
    waiting, passed = list(found.values()), set[Hashable]()
    while waiting:
        address = waiting.pop(0)
        answer = client.get(address)
        assert answer.status_code == 200, address
        if not answer["Content-Type"].startswith("text/html"):
            # A file, not a page: JSON or CSV.
            del found[_kind(address)]
            passed.add(_kind(address))
            continue
        for link in _LINK.findall(answer.content.decode()):
            target = urlsplit(urljoin(address, unescape(link))).path
            if target.startswith(_OURS) and _kind(target) not in {*found, *passed}:
                found[_kind(target)] = target
                waiting.append(target)
    return list(found.values())


def _kind(address: str) -> Hashable:
    match = resolve(address)
    rest = {name: value for name, value in match.kwargs.items() if name not in _GIVEN}
    return match.view_name, *sorted(rest.items())
