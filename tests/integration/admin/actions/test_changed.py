"""What changes between the question and the answer, and what cannot be done."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import translation

from django_agenda.models import Batch, Execution
from tests.conftest import RedisServer
from tests.factories import ExecutionFactory

from .acting import action_url, asked, broken, done, log_of, one, page_url, to_come


def test_those_that_were_retried_meanwhile_are_told(admin_client: Client) -> None:
    batch = broken(200)
    many = batch.failed + batch.missed
    assert f'name="seen" value="{many}"' in asked(admin_client, batch, "retry")
    for row in batch.executions.filter(status="failed")[:3]:
        row.retry()

    answer = done(admin_client, batch, "retry", seen=many)

    assert answer == (
        f"Retried {many - 3} executions; skipped 3: changed meanwhile, or another execution has"
        " the key."
    )


def test_the_second_click_changes_nothing(admin_client: Client) -> None:
    batch = broken()
    done(admin_client, batch, "retry")

    answer = done(admin_client, batch, "retry")

    assert answer.startswith("Nothing was changed; skipped 1: ")
    assert len(log_of(batch)) == 1


def test_a_batch_that_was_paused_meanwhile_is_not_resumed_by_enqueueing(
    admin_client: Client,
) -> None:
    batch = broken()
    asked(admin_client, batch, "enqueue")
    batch.pause()

    answer = done(admin_client, batch, "enqueue", which="overdue")

    assert answer == "Nothing was changed; skipped 1: paused."
    assert Batch.objects.get(pk=batch.pk).status == "paused"


def test_one_that_began_meanwhile_is_not_rescheduled(admin_client: Client) -> None:
    execution = ExecutionFactory.create()
    asked(admin_client, execution, "reschedule")
    Execution.objects.filter(pk=execution.pk).update(status="running")

    answer = done(admin_client, execution, "reschedule", how="later", amount="1", unit="days")

    assert answer == "Nothing was changed; skipped 1: already running."
    assert Execution.objects.get(pk=execution.pk).due_at == execution.due_at


def test_a_key_that_lives_again_is_passed_over(admin_client: Client) -> None:
    failed = one("failed", broken())
    Execution.objects.filter(pk=failed.pk).update(key="a")
    ExecutionFactory.create(key="a", live_key="a")

    answer = done(admin_client, failed, "retry")

    assert answer.endswith("skipped 1: changed meanwhile, or another execution has the key.")
    assert not log_of(failed)


def test_a_batch_that_is_gone_leads_back(admin_client: Client) -> None:
    for pk in ("9999", "nonsense", "9" * 30):
        address = f"/admin/django_agenda/batch/{pk}/do/pause/"
        assert admin_client.get(address).status_code == 302
        assert admin_client.post(address).status_code == 302


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"amount": "0", "unit": "minutes"},
        {"amount": "-1", "unit": "minutes"},
        {"amount": "nan", "unit": "minutes"},
        {"amount": "1e400", "unit": "minutes"},
        {"amount": "999999999", "unit": "days"},
        {"amount": "99999999", "unit": "days"},
        {"amount": "1", "unit": "years"},
        {"amount": "1", "unit": "days", "start": "yesterday"},
        {"amount": "1", "unit": "days", "start": "9999-12-31T23:59:59"},
        {"amount": "1", "unit": "days", "reason": "x" * 301},
        {"amount": "1", "unit": "days", "reason": "a\0b"},
    ],
)
def test_what_cannot_be_is_asked_again(admin_client: Client, fields: dict[str, Any]) -> None:
    batch = to_come()

    response = admin_client.post(action_url(batch, "respread"), fields)

    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not log_of(batch)
    assert batch.version == Batch.objects.get(pk=batch.pk).version


@pytest.mark.parametrize("seen", ["", "-1", "x", "9" * 400, "²"])
def test_a_hostile_count_counts_for_nothing(admin_client: Client, seen: str) -> None:
    assert done(admin_client, to_come(), "pause", seen=seen) == "Paused 10 executions."


@pytest.mark.parametrize("error", ["x", "0123", "%00", "'; --", "0123456789ABCDEF", "/" * 999])
def test_a_hostile_fingerprint_is_refused(admin_client: Client, error: str) -> None:
    batch = broken()

    assert admin_client.get(action_url(batch, "retry"), {"error": error}).status_code == 404
    assert admin_client.post(action_url(batch, "retry", error)).status_code == 404
    assert Batch.objects.get(pk=batch.pk).failed == batch.failed


def test_an_action_that_would_not_heed_a_fingerprint_refuses_it(admin_client: Client) -> None:
    batch = to_come()

    response = admin_client.post(action_url(batch, "cancel", "0123456789abcdef"))

    assert response.status_code == 404
    assert Batch.objects.get(pk=batch.pk).cancelled == 0


def test_a_fingerprint_of_nothing_does_nothing(admin_client: Client) -> None:
    batch = broken()

    answer = done(admin_client, batch, "retry", error="0123456789abcdef")

    assert answer.startswith("Nothing was changed")
    assert Batch.objects.get(pk=batch.pk).failed == batch.failed
    assert not log_of(batch)


def test_under_atomic_requests_redis_is_told_before_the_answer(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    batch = broken()

    answer = done(admin_client, batch, "enqueue", which="overdue")

    assert answer == f"Enqueued {batch.pending} executions."


@pytest.mark.parametrize("slug", ["retry", "pause", "resume", "respread", "reschedule", "cancel"])
def test_without_redis_every_action_but_enqueue_is_done(
    admin_client: Client, redis_server: RedisServer, slug: str
) -> None:
    batch = broken()
    if slug == "resume":
        batch.pause()
    redis_server.kill()
    fields = {"which": "all", "how": "later", "amount": "1", "unit": "hours"}

    assert done(admin_client, batch, slug, **fields)

    assert len(log_of(batch)) == 1


def test_the_log_is_written_in_one_language(admin_client: Client) -> None:
    batch = to_come()
    with translation.override("de"):
        admin_client.post(action_url(batch, "pause"), headers={"accept-language": "de"})

    assert log_of(batch) == ["Paused 10 executions."]
    assert admin_client.get(page_url(batch)).status_code == 200
