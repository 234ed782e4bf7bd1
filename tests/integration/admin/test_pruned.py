"""The page of a batch after its executions were pruned."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.scheduling.prune import Rules, prune
from tests.factories import Scene, flood

OVER = Scene(elapsed=1.5, refused=0.0, failing=0.1)

pytestmark = pytest.mark.django_db


def pruned(*statuses: str, total: int = 400) -> Batch:
    batch = flood(total, scene=OVER)
    rules = Rules(executions=dict.fromkeys(statuses or Batch.ENDED, now() + timedelta(seconds=1)))
    assert sum(prune("default", rules), Counter())
    batch.refresh_from_db()
    return batch


def text_of(client: Client, batch: Batch, query: str = "") -> str:
    address = reverse("admin:django_agenda_batch_change", args=[batch.pk])
    response = client.get(address + query)
    assert response.status_code == 200
    return str(response.content.decode())


def test_counts_timeline_and_failures_survive(admin_client: Client) -> None:
    batch = pruned()

    page = text_of(admin_client, batch)

    assert not Execution.objects.filter(batch=batch).exists()
    assert "The executions were pruned" in page
    assert "TimeoutError" in page
    assert "did not answer in" in page
    assert '<path class="ag-layer ag-fill ag-s-succeeded" d="M' in page


def test_the_timeline_counts_what_was_pruned_and_what_was_not(admin_client: Client) -> None:
    batch = pruned("succeeded")

    page = text_of(admin_client, batch)

    assert Execution.objects.filter(batch=batch).exists()
    assert ">400<" in page
    assert "The executions were pruned" not in page


def test_a_part_of_the_window_can_be_shown(admin_client: Client) -> None:
    batch = pruned()

    page = text_of(admin_client, batch, "?from=0&to=3600000")

    assert '<path class="ag-layer ag-fill ag-s-succeeded" d="M' in page


def test_what_was_pruned_cannot_be_retried(admin_client: Client) -> None:
    batch = pruned()
    asking = reverse("admin:django_agenda_batch_do", args=[batch.pk, "retry"])

    assert "/do/retry/" not in text_of(admin_client, batch)
    assert "There is nothing to do" in admin_client.get(asking).content.decode()


def test_what_was_not_pruned_can_be_retried(admin_client: Client) -> None:
    batch = pruned("succeeded")

    assert "Retry failed …" in text_of(admin_client, batch)


def test_the_list_still_has_a_spark(admin_client: Client) -> None:
    pruned()

    response = admin_client.get(reverse("admin:django_agenda_batch_changelist"))

    assert '<path class="ag-fill ag-s-succeeded"' in response.content.decode()


def test_it_takes_no_more_statements(admin_client: Client) -> None:
    batch = pruned()
    with CaptureQueriesContext(connection) as captured:
        text_of(admin_client, batch)

    assert len(captured) <= 16
