"""Actions on rows that are ticked in a list, and on all that a filter finds."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.test import Client

from django_agenda.models import Batch, Execution
from tests.factories import ExecutionFactory

from .acting import broken, ended, list_url, log_of, message, to_come


def chosen(client: Client, rows: list[Any], action: str, **fields: Any) -> Any:
    """Choose an action for ticked rows, and confirm when `confirmed` is given."""
    model = type(rows[0])
    ticked = {"_selected_action": [str(row.pk) for row in rows]}
    button = {} if fields.get("confirmed") else {"index": "0"}
    return client.post(
        list_url(model), {"action": action, "select_across": "0", **button, **ticked, **fields}
    )


def test_the_list_asks_first(admin_client: Client) -> None:
    rows = list(broken().executions.filter(status="failed")[:3])

    page = chosen(admin_client, rows, "retry").content.decode()

    assert "Retry 3 executions" in page
    assert page.count('name="_selected_action"') == 3
    assert Execution.objects.filter(pk__in=[row.pk for row in rows], status="failed").count() == 3


def test_what_runs_already_is_skipped_and_told(admin_client: Client) -> None:
    batch = broken()
    rows = [*batch.executions.filter(status="failed")[:3]]
    rows += [*batch.executions.filter(status="succeeded")[:2]]
    page = chosen(admin_client, rows, "retry").content.decode()
    assert "Skipped:" in page

    response = chosen(admin_client, rows, "retry", confirmed="yes", reason="again")

    assert response["Location"] == list_url(Execution)
    assert message(response) == "Retried 3 executions; skipped 2: already succeeded."
    assert [len(log_of(row)) for row in rows] == [1, 1, 1, 0, 0]
    assert log_of(rows[0])[0].endswith("Reason: again")


def test_everything_that_a_filter_finds_is_taken(admin_client: Client) -> None:
    batch = broken(200)
    failed = batch.executions.filter(status="failed")
    first, many = failed[0], failed.count()
    address = f"{list_url(Execution)}?status__exact=failed&batch__id__exact={batch.pk}"
    fields = {"action": "retry", "select_across": "1", "_selected_action": str(first.pk)}

    page = admin_client.post(address, {**fields, "index": "0"}).content.decode()
    assert f"Retry {many} executions" in page
    assert 'name="select_across" value="1"' in page
    response = admin_client.post(address, {**fields, "confirmed": "yes", "seen": many})

    assert message(response) == f"Retried {many} executions."
    assert response["Location"] == address
    assert not failed.exists()


def test_batches_are_paused_together(admin_client: Client) -> None:
    rows = [to_come(), to_come(5), ended()]

    response = chosen(admin_client, rows, "pause", confirmed="yes")

    assert message(response) == "Paused 15 executions; skipped 1: succeeded."
    assert [len(log_of(row)) for row in rows] == [1, 1, 0]
    assert Batch.objects.filter(status="paused").count() == 2


def test_batches_are_repaired_together(admin_client: Client) -> None:
    rows = [broken(), broken()]
    pending = sum(row.pending for row in rows)
    failed = sum(row.failed + row.missed for row in rows)

    enqueued = chosen(admin_client, rows, "enqueue", confirmed="yes", which="overdue")
    retried = chosen(admin_client, rows, "retry", confirmed="yes")

    assert message(enqueued) == f"Enqueued {pending} executions."
    assert message(retried) == f"Retried {failed} executions."
    assert not Execution.objects.filter(status__in=["pending", "failed", "missed"]).exists()


def test_a_form_that_is_not_right_is_asked_again(admin_client: Client) -> None:
    rows = [ExecutionFactory.create()]

    response = chosen(admin_client, rows, "reschedule", confirmed="yes", how="later")

    assert response.status_code == 200
    assert "This is needed for what is chosen above." in response.content.decode()


def test_of_very_many_one_entry_is_written(admin_client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("django_agenda.admin.actions.errand.ONE_BY_ONE", 3)
    monkeypatch.setattr("django_agenda.admin.actions.history.ONE_BY_ONE", 3)
    rows = list(to_come().executions.all()[:4])

    chosen(admin_client, rows, "cancel", confirmed="yes", reason="too many")

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr) == (None, "executions")
    assert entry.change_message == "Cancelled 4 executions. Reason: too many"


def test_the_list_offers_what_the_user_may(client_for: Any) -> None:
    ExecutionFactory.create()
    client = client_for("view_execution", "retry_execution")

    page = client.get(list_url(Execution)).content.decode()

    assert 'value="retry"' in page
    assert 'value="run_now"' in page
    assert 'value="cancel"' not in page
    assert "delete_selected" not in page
