"""The overview leads to the repair of what it names: one click to it, one to confirm."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, ErrorGroup, Execution
from tests.factories import CALM, Scene, flood

from .conftest import ClientFor

OVERVIEW = reverse("admin:django_agenda_overview_changelist")
FAILED = Scene(elapsed=1.2, refused=0, outage=None, failing=0.2, missing=0)

pytestmark = pytest.mark.django_db


def do(batch: Batch, slug: str) -> str:
    return reverse("admin:django_agenda_batch_do", args=[batch.pk, slug])


def text_of(client: Client) -> str:
    return client.get(OVERVIEW).content.decode()


def make() -> tuple[Batch, Batch, Batch]:
    failed, refused = flood(100, scene=FAILED), flood(100, scene=Scene(refused=0.2, outage=None))
    paused = flood(20, scene=CALM)
    Batch.objects.filter(pk=paused.pk).update(paused_at=now())
    return failed, refused, paused


def test_each_batch_that_needs_attention_has_its_repair(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_agenda.admin.obstacles.redis_error", lambda: "")
    failed, refused, paused = make()

    text = text_of(admin_client)

    words = (
        (do(failed, "retry"), f"Retry {failed.failed} executions …"),
        (do(refused, "enqueue"), f"Enqueue {refused.pending} executions …"),
        (do(paused, "resume"), "Resume …"),
    )
    for url, label in words:
        assert f'<a class="ag-button" href="{url}">{label}</a>' in text
        assert admin_client.get(url).status_code in (200, 503)


def test_each_kind_of_error_can_be_retried(admin_client: Client) -> None:
    batch = flood(100, scene=FAILED)

    text = text_of(admin_client)

    kinds = Execution.objects.filter(batch=batch, status="failed")
    for mark in set(kinds.values_list("error_fingerprint", flat=True)):
        many = kinds.filter(error_fingerprint=mark).count()
        url = reverse("admin:django_agenda_errorgroup_do", args=[mark, "retry"])
        assert f'href="{url}">Retry {many} execution' in text


def test_who_may_not_repair_is_offered_nothing(client_for: ClientFor) -> None:
    make()

    client = client_for("view_overview", "view_batch", "view_execution", "view_errorgroup")

    assert "/do/" not in text_of(client)


def test_nothing_is_to_be_enqueued_without_redis(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_agenda.admin.obstacles.redis_error", lambda: "refused")
    _failed, refused, _paused = make()

    assert do(refused, "enqueue") not in text_of(admin_client)


def test_what_is_resolved_needs_no_attention_until_it_occurs_again(admin_client: Client) -> None:
    batch = flood(100, name="Wave", scene=FAILED)
    failed = Execution.objects.filter(batch=batch, status="failed")

    def needs_attention() -> bool:
        return bool(admin_client.get(OVERVIEW).context["page"].trouble.rows)

    assert needs_attention()
    for mark in set(failed.values_list("error_fingerprint", flat=True)):
        ErrorGroup.objects.create(pk=mark, state="resolved", changed_at=now())
    assert not needs_attention()

    again = failed.first()
    assert again is not None
    Execution.objects.filter(pk=again.pk).update(finished_at=now() + timedelta(seconds=1))

    assert needs_attention()
