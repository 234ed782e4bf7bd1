"""The overview leads to the repair of what it names: one click to it, one to confirm."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, ErrorGroup, Execution
from tests.conftest import RedisServer
from tests.factories import CALM, Scene, flood

from .conftest import ClientFor

OVERVIEW = reverse("admin:django_agenda_overview_changelist")
GROUPS, PAGE = "admin:django_agenda_errorgroup_changelist", "admin:django_agenda_batch_change"
BUTTON = re.compile(r'<a class="ag-button[^"]*" href="([^"]+/do/[^"]+)">([^<]+)</a>')
H1 = re.compile(r"<h1>([^<]+)</h1>")
FAILED = Scene(elapsed=1.2, refused=0, outage=None, failing=0.2, missing=0)

pytestmark = pytest.mark.django_db


def do(batch: Batch, slug: str) -> str:
    return reverse("admin:django_agenda_batch_do", args=[batch.pk, slug])


def text_of(client: Client, address: str = OVERVIEW) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


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
        (do(refused, "enqueue"), "Enqueue the rest …"),
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
        assert f'href="{url}?within=day">Retry {many} execution' in text


def test_a_button_says_how_many_the_page_counts_that_asks(
    admin_client: Client, redis_server: RedisServer
) -> None:
    batch = flood(300, scene=Scene(outage=None, failing=0.2, missing=0.05, refused=0.1))
    kind = Execution.objects.filter(batch=batch, status="failed")[0].error_fingerprint
    same = Execution.objects.filter(error_fingerprint=kind, status="failed")
    same.update(finished_at=now())
    before = [row.pk for row in same[:3]]
    same.filter(pk__in=before).update(finished_at=now() - timedelta(days=2))
    # Of what Redis refused some wait for something else, and something more was never told of.
    refused = Execution.objects.filter(batch=batch, status="pending")
    for row in refused[:2]:
        row.pause()
    refused.filter(pk=refused.latest("position").pk).update(status="scheduled")
    moved = {"pending": F("pending") - 1, "scheduled": F("scheduled") + 1}
    Batch.objects.filter(pk=batch.pk).update(**moved)

    numbers = {}
    for address in (OVERVIEW, reverse(GROUPS), reverse(PAGE, args=[batch.pk])):
        for url, label in BUTTON.findall(text_of(admin_client, address)):
            asked = H1.findall(text_of(admin_client, unescape(url)))
            assert asked == [label.removesuffix(" …")] or not re.search(r"\d", label)
            numbers[address, url] = label

    many = same.count()
    retry = reverse("admin:django_agenda_errorgroup_do", args=[kind, "retry"])
    assert numbers[OVERVIEW, f"{retry}?within=day"] == f"Retry {many - 3} executions …"
    assert numbers[reverse(GROUPS), retry] == f"Retry {many} executions …"
    assert (OVERVIEW, do(batch, "enqueue")) in numbers


def test_of_more_batches_than_the_overview_reads_it_tells_no_number(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_agenda.admin.overview.scope.MOST", 1)
    flood(100, scene=FAILED), flood(100, scene=FAILED)

    assert re.search(r'errorgroup/\w+/do/retry/\?within=day">Retry …<', text_of(admin_client))


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
