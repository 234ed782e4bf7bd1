"""A site that has one of our pages alone: it leads to no other, and misses none."""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import path

from django_agenda.clock import now
from django_agenda.models import Batch, ErrorGroup, Execution, Operation, Overview
from tests.factories import ExecutionFactory, Scene, ScheduleFactory, WorkerFactory, flood

pytestmark = pytest.mark.django_db

PAGES: dict[type[Model], Any] = {
    model: page
    for model, page in admin.site._registry.items()
    if model._meta.app_label == "django_agenda"
}


def urls_of(model: type[Model]) -> ModuleType:
    """Return the addresses of a project whose only admin site has that page alone."""
    site = admin.AdminSite(name="alone")
    site.register(model, type(PAGES[model]))
    urls: Any = ModuleType("urls")
    urls.urlpatterns = [path("admin/", site.urls)]
    return cast("ModuleType", urls)


def rows_of_all() -> list[Model]:
    """Make rows that lead to one another."""
    batch = flood(40, scene=Scene(failing=0.3))
    failed = batch.executions.filter(status="failed").earliest("position")
    schedule, worker = ScheduleFactory.create(), WorkerFactory.create()
    lone = ExecutionFactory.create(callback_of=batch, parent=failed)
    scattered = flood(5)
    Batch.objects.filter(pk=scattered.pk).update(parent=failed)
    subjects: Any = [batch.pk]
    operation = Operation.objects.create(model="batch", subjects=subjects, execution_id=lone.pk)
    ExecutionFactory.create(status="running", claimed_by=worker.pk, started_at=now())
    run = ExecutionFactory.create(schedule=schedule)
    return [batch, failed, schedule, worker, lone, scattered, operation, run]


@pytest.mark.parametrize("model", list(PAGES), ids=lambda model: model._meta.model_name)
def test_a_page_needs_none_of_the_others(
    admin_client: Client, settings: Any, model: type[Model]
) -> None:
    rows = [row for row in rows_of_all() if isinstance(row, model)]
    settings.ROOT_URLCONF = urls_of(model)
    start = f"/admin/django_agenda/{model._meta.model_name}/"

    addresses = ["/admin/", start, *(f"{start}{row.pk}/change/" for row in rows)]
    if model in (Overview, ErrorGroup):
        addresses.append(f"{start}live/")
    if model in (Batch, Execution):
        addresses += [f"{start}{rows[0].pk}/live/", f"{start}{rows[0].pk}/do/retry/"]
    for address in addresses:
        assert admin_client.get(address).status_code == 200, address
