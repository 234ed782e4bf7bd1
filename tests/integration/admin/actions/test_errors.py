"""What can be done about one kind of error: retry all of it, resolve, ignore and reopen it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models import ErrorGroup, Execution, Operation
from django_agenda.scheduling.enqueue import entry_of, refuse
from tests.conftest import RedisServer
from tests.factories import ExecutionFactory
from tests.integration.admin.conftest import ClientFor

from .acting import broken, log_of, message, one
from .test_operations import carried_out

LIST = reverse("admin:django_agenda_errorgroup_changelist")


def address(fingerprint: str, slug: str) -> str:
    return reverse("admin:django_agenda_errorgroup_do", args=[fingerprint, slug])


def group() -> ErrorGroup:
    """Return a kind of error that two batches met."""
    broken(200)
    return ErrorGroup(pk=one("failed", broken(200)).error_fingerprint)


def post(client: Client, fingerprint: str, slug: str, **fields: Any) -> str:
    response = client.post(address(fingerprint, slug), fields)
    assert response.status_code == 302, response.content.decode()
    assert response["Location"] == LIST
    return message(response)


def test_what_redis_refused_is_enqueued_over_all_batches(
    admin_client: Client, redis_server: RedisServer
) -> None:
    batches = [broken(200), broken(200)]
    refused = Execution.objects.filter(status="pending")
    kind, many = refused[0].error_fingerprint, refused.count()
    assert address(kind, "enqueue") in admin_client.get(LIST).content.decode()
    page = admin_client.get(address(kind, "enqueue")).content.decode()
    assert f"Enqueue {many} executions" in page

    told = post(admin_client, kind, "enqueue", seen=many, which="overdue", reason="It is back")

    assert told == f"Enqueued {many} executions."
    assert not refused.exists()
    for batch in batches:
        assert [told in entry and "It is back" in entry for entry in log_of(batch)] == [True]
    assert address(kind, "enqueue") not in admin_client.get(LIST).content.decode()


def test_what_redis_refused_without_a_batch_is_enqueued_one_by_one(
    admin_client: Client, redis_server: RedisServer
) -> None:
    rows = [ExecutionFactory.create(due_at=now() + timedelta(hours=1)) for _ in range(2)]
    refuse("default", [row.pk.hex for row in rows], BrokerUnavailable("Redis does not answer"))
    refused = Execution.objects.filter(status="pending")
    kind = refused[0].error_fingerprint
    assert address(kind, "enqueue") in admin_client.get(LIST).content.decode()
    assert "Enqueue 2 executions" in admin_client.get(address(kind, "enqueue")).content.decode()

    told = post(admin_client, kind, "enqueue", seen=2, reason="It is back")

    assert told == "Enqueued 2 executions."
    assert not refused.exists()
    assert not list(broker.missing([entry_of(row) for row in rows]))


def test_batches_are_enqueued_by_who_may_see_them(
    client_for: ClientFor, redis_server: RedisServer
) -> None:
    broken(200)
    kind = Execution.objects.filter(status="pending")[0].error_fingerprint
    client = client_for("view_errorgroup", "add_batch")

    assert client.get(address(kind, "enqueue")).status_code == 403
    assert address(kind, "enqueue") not in client.get(LIST).content.decode()


def test_what_waits_is_offered_to_be_cancelled_only_if_something_waits_and_by_its_task(
    admin_client: Client, redis_server: RedisServer
) -> None:
    failed = broken(200)
    failed.cancel()
    kind = one("failed", failed).error_fingerprint

    assert "cancel-task" not in admin_client.get(LIST).content.decode()
    asked = admin_client.get(address(kind, "cancel-task")).content.decode()
    assert "Cancel all waiting of these tasks</h1>" in asked
    assert "nothing is there that this would change" in asked

    ExecutionFactory.create(task_name=one("failed", failed).task_name)
    name = one("failed", failed).task_name.rpartition(".")[2]
    assert f"Cancel all waiting of {name} …" in admin_client.get(LIST).content.decode()


def test_all_of_a_kind_are_retried_over_all_batches(
    admin_client: Client, redis_server: RedisServer
) -> None:
    kind = group().pk
    failed = Execution.objects.filter(error_fingerprint=kind, status="failed")
    others = Execution.objects.filter(status="failed").exclude(error_fingerprint=kind).count()
    many, row = failed.count(), failed[0]
    assert failed.values("batch").distinct().count() == 2

    page = admin_client.get(address(kind, "retry")).content.decode()
    assert f"Retry {many} executions" in page
    assert failed.count() == many
    told = post(admin_client, kind, "retry", seen=many, reason="The server is back")

    assert told == f"Retried {many} executions."
    assert not Execution.objects.filter(error_fingerprint=kind).exists()
    assert Execution.objects.filter(status="failed").count() == others
    assert log_of(row) == [f"Retried {many} executions. (error {kind}) Reason: The server is back"]


def test_what_changed_since_it_was_asked_is_told(admin_client: Client) -> None:
    kind = group().pk
    failed = Execution.objects.filter(error_fingerprint=kind, status="failed")
    many = failed.count()
    failed[0].retry()

    told = post(admin_client, kind, "retry", seen=many)

    assert told.startswith(f"Retried {many - 1} executions; skipped 1: changed meanwhile")


def test_what_failed_more_than_a_week_ago_is_left_alone(admin_client: Client) -> None:
    kind = group().pk
    failed = Execution.objects.filter(error_fingerprint=kind, status="failed")
    old = failed[0]
    Execution.objects.filter(pk=old.pk).update(finished_at=now() - timedelta(days=8))

    post(admin_client, kind, "retry")

    assert list(failed) == [old]


def test_from_the_overview_it_is_about_a_day(admin_client: Client) -> None:
    kind = group().pk
    failed = Execution.objects.filter(error_fingerprint=kind, status="failed")
    failed.update(finished_at=now())
    old = failed[0]
    failed.filter(pk=old.pk).update(finished_at=now() - timedelta(days=2))
    of_a_day = f"{address(kind, 'retry')}?within=day"
    many = failed.count() - 1

    asked = admin_client.get(of_a_day).content.decode()
    response = admin_client.post(of_a_day, {"seen": many})

    assert f"Retry {many} executions</h1>" in asked
    assert "The last 24 hours" in asked
    assert message(response) == f"Retried {many} executions."
    assert list(failed) == [old]
    assert admin_client.get(f"{address(kind, 'retry')}?within=year").status_code == 404


def test_it_is_resolved_with_a_reason_and_reopened(admin_client: Client) -> None:
    kind = group()

    assert "resolve" not in LogEntry.objects.values_list("change_message", flat=True)
    asked = admin_client.get(address(kind.pk, "resolve")).content.decode()
    assert "Resolve this kind of error" in asked
    assert not ErrorGroup.objects.exists()
    assert post(admin_client, kind.pk, "resolve", reason="Fixed in 1.2") == "Resolved."

    stored = ErrorGroup.objects.get()
    assert (stored.state, stored.changed_by, stored.note) == ("resolved", "admin", "Fixed in 1.2")
    assert post(admin_client, kind.pk, "reopen") == "Reopened."
    assert ErrorGroup.objects.get().state == "open"
    assert log_of(kind) == ["Resolved. Reason: Fixed in 1.2", "Reopened."]


def test_what_two_people_do_at_once_is_done_once(admin_client: Client) -> None:
    kind = group()
    post(admin_client, kind.pk, "ignore", reason="first")

    told = post(admin_client, kind.pk, "ignore", reason="second")

    assert told == "Nothing was changed: so it is already."
    assert ErrorGroup.objects.get().note == "first"
    assert len(log_of(kind)) == 1


def test_one_that_came_again_can_be_resolved_again(admin_client: Client) -> None:
    kind = group()
    earlier = now() - timedelta(days=1)
    ErrorGroup.objects.create(pk=kind.pk, state="resolved", changed_at=earlier)

    assert post(admin_client, kind.pk, "resolve") == "Resolved."

    assert ErrorGroup.objects.get().changed_at > earlier


def test_a_kind_that_nothing_has_leads_back(admin_client: Client) -> None:
    response = admin_client.post(address("0" * 16, "resolve"))

    assert response.status_code == 302
    assert not ErrorGroup.objects.exists()


def test_a_reason_that_is_too_long_is_asked_again(admin_client: Client) -> None:
    kind = group()

    response = admin_client.post(address(kind.pk, "ignore"), {"reason": "x" * 301})

    assert response.status_code == 200
    assert "at most 300 characters" in response.content.decode()
    assert not ErrorGroup.objects.exists()


def test_hostile_addresses_are_not_found(admin_client: Client) -> None:
    for kind in ("x" * 16, "ABCDEF0123456789", "1", "0" * 17, "..", "%00"):
        for slug in ("retry", "resolve", "nonsense"):
            assert admin_client.get(f"{LIST}{kind}/do/{slug}/").status_code == 404


def test_what_waits_of_the_task_that_met_it_is_cancelled(
    admin_client: Client, redis_server: RedisServer
) -> None:
    kind = group().pk
    task = Execution.objects.filter(error_fingerprint=kind)[0].task_name
    other = ExecutionFactory.create(task_name="tests.tasks.mail")
    alone = ExecutionFactory.create(task_name=task)
    failed = Execution.objects.filter(status="failed").count()
    waiting = Execution.objects.filter(task_name=task, status__in=Execution.WAITING)
    many = waiting.count()
    assert many > 1

    page = admin_client.get(address(kind, "cancel-task")).content.decode()
    assert f"Cancel {many} executions" in page
    assert task in page
    told = post(admin_client, kind, "cancel-task", seen=many, reason="It is broken")

    assert told == f"Cancelled {many} executions."
    assert not waiting.exists()
    assert Execution.objects.filter(status="failed").count() == failed
    assert log_of(alone) == [f"Cancelled {many} executions. Reason: It is broken"]
    other.refresh_from_db()
    assert other.status == "scheduled"


def test_cancelling_very_many_is_an_operation_that_names_the_task(
    admin_client: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_agenda.admin.actions.large.ONE_BY_ONE", 3)
    kind = group().pk
    task = Execution.objects.filter(error_fingerprint=kind)[0].task_name

    admin_client.post(address(kind, "cancel-task"), {"seen": "1"})

    operation = Operation.objects.get()
    assert (operation.kind, operation.filter_text) == ("cancel-task", task)
    assert carried_out(operation).status == "finished"
    waiting = Execution.objects.filter(task_name=task, status__in=Execution.WAITING)
    assert not waiting.exists()
