"""What the tests of actions share: addresses, answers and the log."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from django_agenda.models import Batch, Execution
from tests.factories import Scene, flood

BROKEN = Scene(outage=None, failing=0.2, missing=0.05, refused=0.1)


def action_url(row: Model, slug: str, error: str = "") -> str:
    name = f"admin:django_agenda_{row._meta.model_name}_do"
    return reverse(name, args=[row.pk, slug]) + (f"?error={error}" if error else "")


def page_url(row: Model) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_change", args=[row.pk])


def list_url(model: type[Model]) -> str:
    return reverse(f"admin:django_agenda_{model._meta.model_name}_changelist")


def asked(client: Client, row: Model, slug: str, error: str = "") -> str:
    """Return the page that asks."""
    response = client.get(action_url(row, slug, error))
    assert response.status_code == 200
    return response.content.decode()


def done(client: Client, row: Model, slug: str, *, error: str = "", **fields: Any) -> str:
    """Confirm, and return what the answer says."""
    response = client.post(action_url(row, slug, error), fields)
    assert response.status_code == 302, response.content.decode()
    assert response["Location"] == page_url(row)
    return message(response)


def message(response: Any) -> str:
    *_, last = get_messages(response.wsgi_request)
    return str(last)


def log_of(row: Model) -> list[str]:
    found = LogEntry.objects.filter(object_id=str(row.pk), content_type__model=row._meta.model_name)
    return [entry.change_message for entry in found.order_by("pk")]


def broken(total: int = 100) -> Batch:
    """Make a batch that runs: some of it failed, some was missed, some Redis did not take."""
    batch = flood(total, scene=BROKEN)
    assert batch.failed
    assert batch.missed
    assert batch.pending
    return batch


def to_come(total: int = 10) -> Batch:
    """Make a batch that has not begun."""
    return flood(total, scene=Scene(elapsed=-0.5, outage=None, refused=0, cancelled=0))


def ended(total: int = 20) -> Batch:
    """Make a batch of which everything has succeeded."""
    scene = Scene(elapsed=2, outage=None, refused=0, failing=0, missing=0, cancelled=0)
    batch = flood(total, scene=scene)
    assert batch.status == "succeeded"
    return batch


def one(status: str, batch: Batch) -> Execution:
    return Execution.objects.filter(batch=batch, status=status).earliest("position")
