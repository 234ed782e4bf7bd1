"""What each action does to a batch, and what the log keeps of it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.test import Client

from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests import sound
from tests.conftest import RedisServer

from .acting import action_url, asked, broken, done, ended, list_url, log_of, one, page_url, to_come


def counts(batch: Batch) -> Counter[str]:
    return Counter(batch.executions.values_list("status", flat=True))


def moments(batch: Batch) -> list[float]:
    """Return when each is due, in seconds from now."""
    found = batch.executions.filter(status__in=Execution.WAITING).order_by("due_at")
    return [(due - now()).total_seconds() for due in found.values_list("due_at", flat=True)]


def test_the_rest_is_enqueued(admin_client: Client, redis_server: RedisServer) -> None:
    batch = broken()
    assert f"Enqueue {batch.pending} executions" in asked(admin_client, batch, "enqueue")

    answer = done(admin_client, batch, "enqueue", which="overdue", reason="Redis is back")

    assert answer == f"Enqueued {batch.pending} executions."
    assert counts(batch)["pending"] == 0
    pending = set(batch.executions.filter(position__gte=90).values_list("pk", flat=True))
    assert pending <= sound.ids_in_redis(redis_server.client)
    (line,) = log_of(batch)
    assert line.startswith(f"Enqueued {batch.pending} executions.")
    assert line.endswith("Reason: Redis is back")


def test_the_rest_can_be_enqueued_over_a_new_stretch(admin_client: Client) -> None:
    batch = broken()

    done(admin_client, batch, "enqueue", which="all", amount="10", unit="minutes")

    rest = batch.executions.filter(position__gte=90).values_list("due_at", flat=True)
    assert max(rest) - now() < timedelta(minutes=10)
    assert "New moments: for all of them, Spread evenly over: 10 minutes" in log_of(batch)[0]


def test_the_rest_can_be_enqueued_at_once(admin_client: Client) -> None:
    batch = broken()

    done(admin_client, batch, "enqueue", which="all")

    assert all(row.due_at <= now() for row in batch.executions.filter(position__gte=90))


def test_nothing_is_enqueued_while_redis_does_not_answer(
    admin_client: Client, redis_server: RedisServer
) -> None:
    batch = broken()
    redis_server.kill()
    before = list(batch.executions.values_list("due_at", "status"))
    ticked = {"action": "enqueue", "_selected_action": [batch.pk]}

    for answer in (
        admin_client.get(action_url(batch, "enqueue")),
        admin_client.post(action_url(batch, "enqueue"), {"which": "all"}),
        admin_client.post(list_url(Batch), ticked),
    ):
        assert answer.status_code == 503
        assert "Redis does not answer" in answer.content.decode()

    assert not log_of(batch)
    assert list(batch.executions.values_list("due_at", "status")) == before


def test_what_redis_refuses_again_is_told(
    admin_client: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = broken()
    # It dies after it was asked for.
    monkeypatch.setattr("django_agenda.admin.acting.redis_error", lambda: "")
    redis_server.kill()

    answer = done(admin_client, batch, "enqueue", which="overdue", seen=batch.pending)

    assert answer.startswith(f"Enqueued 0 executions; skipped {batch.pending}: Redis refused")
    assert counts(batch)["pending"] == batch.pending


def test_all_that_failed_is_retried(admin_client: Client) -> None:
    batch = broken()
    many = batch.failed + batch.missed
    page = asked(admin_client, batch, "retry")
    assert f"Retry {many} executions" in page
    assert f"<b>{batch.missed}</b> missed" in page

    answer = done(admin_client, batch, "retry", reason="SMTP answers")

    assert answer == f"Retried {many} executions."
    assert not counts(batch)["failed"] + counts(batch)["missed"]
    assert log_of(batch) == [f"Retried {many} executions. Reason: SMTP answers"]


def test_a_retry_can_be_spread(admin_client: Client) -> None:
    batch = broken()
    failed = list(batch.executions.filter(status__in=["failed", "missed"]))

    done(admin_client, batch, "retry", amount="1", unit="hours")

    again = Execution.objects.filter(pk__in=[row.pk for row in failed])
    due = [(row.due_at - now()).total_seconds() for row in again.order_by("due_at")]
    assert due[-1] - due[0] > 3600 * 0.8
    assert due[-1] <= 3600
    assert "Spread evenly over: 1 hours" in log_of(batch)[0]


def test_only_one_kind_of_error_is_retried(admin_client: Client) -> None:
    batch = broken(300)
    sample = one("failed", batch)
    same = batch.executions.filter(error_fingerprint=sample.error_fingerprint, status="failed")
    many, before = same.count(), counts(batch)
    assert f"Retry {many} executions" in asked(
        admin_client, batch, "retry", sample.error_fingerprint
    )

    answer = done(admin_client, batch, "retry", error=sample.error_fingerprint)

    assert answer == f"Retried {many} executions."
    assert counts(batch)["failed"] == before["failed"] - many
    assert counts(batch)["missed"] == before["missed"]
    assert f"error {sample.error_fingerprint}" in log_of(batch)[0]


def test_a_kind_of_error_is_not_tried_any_more(admin_client: Client) -> None:
    batch = to_come()
    first, second = batch.executions.order_by("position")[:2]
    mark = "0123456789abcdef"
    batch.executions.filter(pk=first.pk).update(error_fingerprint=mark, attempts=1)

    answer = done(admin_client, batch, "stop-retrying", error=mark)

    assert answer == "Cancelled 1 execution."
    assert batch.executions.get(pk=first.pk).status == "cancelled"
    assert batch.executions.get(pk=second.pk).status == "scheduled"


def test_a_batch_is_paused_and_resumed(admin_client: Client) -> None:
    batch = to_come()

    assert done(admin_client, batch, "pause") == "Paused 10 executions."
    batch.refresh_from_db()
    assert batch.status == "paused"
    since = batch.paused_at
    page = admin_client.get(page_url(batch)).content.decode()
    assert "Resume …" in page
    assert "Pause …" not in page

    assert done(admin_client, batch, "resume", reason="go on") == "Resumed 10 executions."
    batch.refresh_from_db()
    assert batch.status == "scheduled"
    assert log_of(batch) == [
        "Paused 10 executions.",
        f"Resumed 10 executions. It was paused since {since:%Y-%m-%d %H:%M:%S} UTC. Reason: go on",
    ]


def test_a_batch_is_respread(admin_client: Client) -> None:
    batch = to_come()

    answer = done(admin_client, batch, "respread", amount="30", unit="minutes")

    assert answer == "Respread 10 executions."
    assert moments(batch)[-1] <= 1800
    assert moments(batch)[0] > -60


def test_a_batch_is_moved_as_a_whole(admin_client: Client) -> None:
    batch = to_come()
    before = moments(batch)

    answer = done(admin_client, batch, "reschedule", how="earlier", amount="5", unit="minutes")

    assert answer == "Rescheduled 10 executions."
    assert [round(old - new) for old, new in zip(before, moments(batch), strict=True)] == [300] * 10
    assert "Move them: earlier, By: 5 minutes" in log_of(batch)[0]


def test_a_batch_is_cancelled(admin_client: Client) -> None:
    batch = to_come()

    assert done(admin_client, batch, "cancel") == "Cancelled 10 executions."
    batch.refresh_from_db()
    assert batch.status == "cancelled"


def test_what_does_not_fit_has_no_button_and_does_nothing(admin_client: Client) -> None:
    batch = ended()
    page = admin_client.get(page_url(batch)).content.decode()
    assert "ag-button" not in page

    for slug in ("enqueue", "retry", "pause", "resume", "respread", "reschedule", "cancel"):
        assert "There is nothing to do" in asked(admin_client, batch, slug)
        fields = {"which": "overdue", "how": "later", "amount": "1", "unit": "days"}
        answer = done(admin_client, batch, slug, **fields)
        assert answer == "Nothing was changed; skipped 1: succeeded."

    assert not log_of(batch)


def test_the_page_tells_who_did_it(admin_client: Client) -> None:
    batch = to_come()
    done(admin_client, batch, "pause", reason="<b>lunch</b>")

    page = admin_client.get(page_url(batch)).content.decode()

    assert "Done by people" in page
    assert "Paused 10 executions. Reason: &lt;b&gt;lunch&lt;/b&gt;" in page
    assert "<b>admin</b>" in page


def test_a_resume_tells_how_many_are_overdue_and_suggests_a_spread(admin_client: Client) -> None:
    batch = broken()
    batch.pause()
    held = batch.executions.filter(held_by=Execution.BATCH_PAUSED)
    held.update(due_at=now() - timedelta(minutes=5))

    page = asked(admin_client, batch, "resume")

    assert f"<dt>of them due</dt><dd>{held.count()}</dd>" in page
    assert f"{held.count()} are overdue, and start at once unless you spread them." in page
    assert "At the rate of their plan they take" in page


def test_a_resume_of_what_lies_ahead_suggests_nothing(admin_client: Client) -> None:
    batch = to_come()
    batch.pause()

    assert "unless you spread" not in asked(admin_client, batch, "resume")
