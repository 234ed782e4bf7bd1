"""What each action does to one execution, and what the log keeps of it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models import Batch, Execution, Operation
from django_agenda.scheduling.enqueue import entry_of, refuse
from tests.conftest import RedisServer
from tests.factories import ExecutionFactory

from .acting import (
    action_url,
    asked,
    broken,
    done,
    list_url,
    log_of,
    message,
    one,
    page_url,
    to_come,
)
from .test_operations import carried_out


def fresh(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def waiting() -> Execution:
    return ExecutionFactory.create(due_at=now() + timedelta(hours=1))


def refused() -> Execution:
    error = BrokerUnavailable("Redis does not answer")
    execution = waiting()
    assert refuse("default", [execution.pk.hex], error) == 1
    return fresh(execution)


def test_a_failed_one_is_retried(admin_client: Client) -> None:
    execution = one("failed", broken())
    assert "Retry 1 execution" in asked(admin_client, execution, "retry")

    assert done(admin_client, execution, "retry", reason="fixed") == "Retried 1 execution."

    assert fresh(execution).status == "scheduled"
    assert log_of(execution) == ["Retried 1 execution. Reason: fixed"]


def test_one_that_waits_runs_now(admin_client: Client) -> None:
    execution = waiting()

    assert done(admin_client, execution, "run-now") == "1 execution is due now."

    assert fresh(execution).due_at <= now()


def test_one_that_redis_refused_is_enqueued(
    admin_client: Client, redis_server: RedisServer
) -> None:
    execution = refused()
    assert "/do/enqueue/" in admin_client.get(page_url(execution)).content.decode()
    assert "Enqueue 1 execution" in asked(admin_client, execution, "enqueue")
    assert fresh(execution).status == "pending"

    told = done(admin_client, execution, "enqueue", reason="Redis is back")

    assert told == "Enqueued 1 execution."
    after = fresh(execution)
    assert (after.status, after.error_class, after.failed_stage) == ("scheduled", "", "")
    assert after.due_at == execution.due_at
    assert not list(broker.missing([entry_of(execution)]))
    assert log_of(execution) == ["Enqueued 1 execution. Reason: Redis is back"]
    assert "/do/enqueue/" not in admin_client.get(page_url(execution)).content.decode()


def test_what_redis_refused_is_enqueued_from_the_list_and_counted_in_its_batch(
    admin_client: Client, redis_server: RedisServer
) -> None:
    batch, alone, paused = broken(), refused(), refused()
    paused.pause()
    ticked = [one("pending", batch).pk, alone.pk, paused.pk, one("failed", batch).pk]
    fields = {"action": "enqueue", "_selected_action": ticked, "confirmed": "yes", "seen": "2"}

    told = message(admin_client.post(list_url(Execution), fields))

    assert told.startswith("Enqueued 2 executions; skipped")
    assert [fresh(row).status for row in (alone, paused)] == ["scheduled", "pending"]
    assert Batch.objects.get(pk=batch.pk).pending == batch.pending - 1


def test_one_that_redis_refuses_again_waits_as_before(
    admin_client: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = refused()
    redis_server.kill()
    assert admin_client.get(action_url(execution, "enqueue")).status_code == 503
    # It dies after it was asked for.
    monkeypatch.setattr("django_agenda.admin.acting.redis_error", lambda: "")

    told = done(admin_client, execution, "enqueue", seen="1")

    assert told.startswith("Nothing was changed; skipped 1: Redis refused them again")
    assert fresh(execution).status == "pending"
    assert not log_of(execution)


def test_very_many_that_redis_refused_are_enqueued_by_an_operation(
    admin_client: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_agenda.admin.actions.large.ONE_BY_ONE", 3)
    rows = [refused() for _ in range(5)]
    ticked = [row.pk for row in rows]
    fields = {"action": "enqueue", "_selected_action": ticked, "confirmed": "yes", "seen": "5"}

    admin_client.post(list_url(Execution), fields)

    operation = carried_out(Operation.objects.get())
    assert (operation.status, operation.done) == ("finished", 5)
    assert {fresh(row).status for row in rows} == {"scheduled"}


def test_one_that_waits_gets_another_moment(admin_client: Client) -> None:
    execution = waiting()

    done(admin_client, execution, "reschedule", how="at", at="2031-02-03T04:05:06")

    with timezone.override("UTC"):
        assert fresh(execution).due_at.isoformat() == "2031-02-03T04:05:06+00:00"
    assert "New moments: at this moment, Moment: 2031-02-03" in log_of(execution)[0]


@pytest.mark.parametrize(("how", "minutes"), [("later", 5), ("earlier", -5)])
def test_one_that_waits_moves(admin_client: Client, how: str, minutes: int) -> None:
    execution = waiting()

    done(admin_client, execution, "reschedule", how=how, amount="5", unit="minutes")

    assert fresh(execution).due_at - execution.due_at == timedelta(minutes=minutes)


def test_one_is_paused_and_resumed(admin_client: Client) -> None:
    execution = waiting()

    assert done(admin_client, execution, "pause") == "Paused 1 execution."
    assert fresh(execution).held_by == "paused"
    assert "There is nothing to do" in asked(admin_client, execution, "run-now")

    assert done(admin_client, execution, "resume") == "Resumed 1 execution."
    assert fresh(execution).held_by == ""
    assert log_of(execution) == ["Paused 1 execution.", "Resumed 1 execution."]


def test_one_is_cancelled(admin_client: Client) -> None:
    execution = waiting()

    assert done(admin_client, execution, "cancel") == "Cancelled 1 execution."

    assert fresh(execution).status == "cancelled"


def test_one_that_runs_is_asked_to_stop(admin_client: Client) -> None:
    execution = ExecutionFactory.create(status="running", started_at=now())

    assert done(admin_client, execution, "cancel") == "Cancelled 1 execution."
    assert fresh(execution).cancel_requested_at is not None

    answer = done(admin_client, execution, "cancel")
    assert answer == "Nothing was changed; skipped 1: already running."
    Execution.objects.filter(pk=execution.pk).update(status="succeeded", finished_at=now())


def test_the_page_has_the_buttons_that_fit(admin_client: Client) -> None:
    shown = {
        "scheduled": {"run-now", "reschedule", "pause", "cancel"},
        "failed": {"retry"},
        "succeeded": set(),
    }
    batch = broken()

    for status, slugs in shown.items():
        page = admin_client.get(page_url(one(status, batch))).content.decode()
        assert set(re.findall(r"/do/([\w-]+)/", page)) == slugs


def test_an_action_of_batches_is_none_of_executions(admin_client: Client) -> None:
    execution = one("scheduled", to_come())

    assert admin_client.get(action_url(execution, "respread")).status_code == 404
    assert admin_client.post(action_url(execution, "respread")).status_code == 404
