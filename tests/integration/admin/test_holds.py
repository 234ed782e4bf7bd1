"""What is held back on purpose is told wherever somebody would look for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, Execution, PausedQueue, Strike
from tests.factories import CALM, ExecutionFactory, Scene, flood

from .conftest import ClientFor

OVERVIEW = reverse("admin:django_agenda_overview_changelist")
RESUME = reverse("admin:django_agenda_queue_do", args=["import", "resume"])

pytestmark = pytest.mark.django_db


def in_paused_queue(total: int = 40) -> Batch:
    batch = flood(total, name="Import", scene=CALM)
    Execution.objects.filter(batch=batch).update(queue_name="import")
    PausedQueue.objects.create(name="import", paused_at=now() - timedelta(minutes=3))
    return batch


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def page_of(row: Batch | Execution) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_change", args=[row.pk])


def test_the_overview_names_a_paused_queue_and_leads_to_its_end(admin_client: Client) -> None:
    batch = in_paused_queue()
    flood(20, name="Another", scene=CALM)
    Execution.objects.filter(batch=batch, status="scheduled").update(due_at=now())

    response = admin_client.get(OVERVIEW)

    due = Execution.objects.filter(batch=batch, status="scheduled").count()
    text = response.content.decode()
    assert f"Queue import was paused 3 min ago, and nothing of it is started: {due} wait" in text
    assert f'href="{RESUME}"' in text
    found = {row.name: row.reasons for row in response.context["page"].trouble.rows}
    assert [str(words) for _state, words in found["Import"]] == ["queue import is paused"]
    assert "Another" not in found


def test_a_paused_queue_is_only_told_to_those_who_may_not_resume_it(
    client_for: ClientFor,
) -> None:
    batch = in_paused_queue()

    client = client_for("view_overview", "view_batch", "view_execution")

    for address in (OVERVIEW, page_of(batch)):
        text = text_of(client, address)
        assert "Queue import was paused" in text
        assert "/queue/" not in text


def test_the_page_of_a_batch_names_its_paused_queue(admin_client: Client) -> None:
    batch = in_paused_queue()
    waiting = Execution.objects.filter(batch=batch, status="scheduled")

    text = text_of(admin_client, page_of(batch) + "?status=scheduled")

    assert "queue paused" in text
    assert f"nothing of it is started: {waiting.count()} wait" in text
    assert "queue import is paused" in text
    assert f'href="{RESUME}"' in text
    assert "Was due" not in text_of(admin_client, page_of(waiting.order_by("due_at")[0]))


def test_a_batch_of_another_queue_knows_nothing_of_it(admin_client: Client) -> None:
    in_paused_queue()
    batch = flood(20, scene=CALM)

    page = text_of(admin_client, page_of(batch))
    assert "Queue import" not in page
    assert "queue paused" not in page


def test_the_page_of_an_execution_says_that_its_queue_is_paused(admin_client: Client) -> None:
    batch = in_paused_queue()
    waiting = Execution.objects.filter(batch=batch, status="scheduled")

    assert "Held: queue import is paused." in text_of(admin_client, page_of(waiting[0]))


def test_the_overview_names_what_is_struck(admin_client: Client, client_for: ClientFor) -> None:
    flood(20, scene=Scene())
    one = Strike.objects.create(task_name="shop.tasks.charge", fingerprint="a")
    ExecutionFactory.create_batch(3, held_by=one.held_by)

    text = text_of(admin_client, OVERVIEW)

    assert f'<a href="{reverse("admin:django_agenda_strike_change", args=[one.pk])}">' in text
    assert "Struck: charge; 3 are held" in text
    assert reverse("admin:django_agenda_strike_restore", args=[one.pk]) in text
    hidden = text_of(client_for("view_overview"), OVERVIEW)
    assert "1 strike stands: what it matches is held" in hidden
    assert "charge; 3" not in hidden
