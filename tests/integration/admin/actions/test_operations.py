"""An action on many is an operation: a worker carries it out, and nothing is done twice."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from django_agenda.admin.actions import carry, large
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Operation, OperationPart, Worker
from django_agenda.scheduling.prune import Rules, prune
from tests.conftest import RedisServer
from tests.factories import Scene, WorkerFactory, flood
from tests.integration.admin.conftest import ClientFor
from tests.integration.admin.test_pages import NOT_ALLOWED
from tests.integration.conftest import Configure, Work

from .acting import action_url, list_url, log_of, message, page_url

HOUR = timedelta(hours=1)
FAILED = Scene(elapsed=2, outage=None, refused=0, failing=1, missing=0, cancelled=0)
AHEAD = Scene(elapsed=-0.5, outage=None, refused=0, cancelled=0)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> None:
    """Commit for real, as a worker needs it."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, configure: Configure) -> None:
    """Call more than 10 many, and 10 of them a part."""
    monkeypatch.setattr(large, "ONE_BY_ONE", 10)
    configure(CHUNK_SIZE=10)


def begun(client: Client, batch: Batch, slug: str, **fields: Any) -> Operation:
    response = client.post(action_url(batch, slug), fields)
    operation = Operation.objects.latest("pk")
    assert response["Location"] == page_url(operation)
    assert message(response).startswith(f"Operation {operation.pk} was begun: ")
    return operation


def carried_out(operation: Operation) -> Operation:
    """Do what the worker's task does, without a worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carry, "current", type("Nobody", (), {"cancelled": False}))
        carry.carry_on.call(operation.pk)
    operation.refresh_from_db()
    return operation


def counts(operation: Operation) -> tuple[int, int, int, int]:
    return operation.total, operation.done, operation.skipped, operation.failed


def test_a_worker_carries_out_what_is_too_much_for_a_request(
    admin_client: Client, work: Work
) -> None:
    batch = flood(35, scene=FAILED)
    page = admin_client.get(action_url(batch, "retry")).content.decode()
    assert "a worker carries it out" in page

    operation = begun(admin_client, batch, "retry", amount="1", unit="hours", reason="mail is back")
    assert (operation.status, operation.total) == ("waiting", 35)
    assert (operation.by, operation.reason) == ("admin", "mail is back")
    batch.refresh_from_db()
    assert batch.failed == 35
    work("default")

    operation.refresh_from_db()
    assert (operation.status, *counts(operation)) == ("finished", 35, 35, 0, 0)
    batch.refresh_from_db()
    assert (batch.failed, batch.scheduled + batch.running + batch.done) == (0, 35)
    assert not OperationPart.objects.exists()
    assert Execution.objects.get(pk=str(operation.execution_id)).status == "succeeded"


def test_few_are_changed_at_once(admin_client: Client) -> None:
    batch = flood(10, scene=FAILED)

    response = admin_client.post(action_url(batch, "retry"))

    assert message(response) == "Retried 10 executions."
    assert not Operation.objects.exists()


def test_a_pause_never_waits_for_a_worker(admin_client: Client) -> None:
    batch = flood(30, scene=AHEAD)

    admin_client.post(action_url(batch, "pause"))

    batch.refresh_from_db()
    assert batch.status == "paused"
    assert not Operation.objects.exists()


def test_the_parts_share_one_even_spread(admin_client: Client) -> None:
    batch = flood(31, scene=FAILED)
    operation = begun(admin_client, batch, "retry", amount="1", unit="hours")

    carried_out(operation)

    assert operation.started_at
    due = list(batch.executions.order_by("due_at").values_list("due_at", flat=True))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    assert abs(due[0] - operation.started_at) < timedelta(milliseconds=2)
    assert abs(due[-1] - operation.started_at - HOUR) < timedelta(milliseconds=2)
    assert all(abs(gap - HOUR / 30) < timedelta(milliseconds=2) for gap in gaps)


def test_only_what_is_overdue_shares_the_window_of_a_resume(admin_client: Client) -> None:
    batch = flood(40, scene=Scene(elapsed=0.5, outage=None, refused=0, missing=0, cancelled=0))
    Execution.objects.filter(batch=batch).update(status="scheduled", held_by="paused")
    planned = batch.executions.filter(due_at__gt=now()).count()
    rows = batch.executions.all()
    ahead = dict(rows.filter(due_at__gt=now()).values_list("pk", "due_at"))
    fields = {"action": "resume", "select_across": "1", "confirmed": "yes", "amount": "1"}
    fields["_selected_action"] = str(rows[0].pk)
    fields["unit"] = "hours"

    admin_client.post(f"{list_url(Execution)}?batch__id__exact={batch.pk}", fields)
    operation = carried_out(Operation.objects.get())

    assert operation.spread == 40 - planned
    assert operation.started_at
    moved = sorted(rows.exclude(pk__in=ahead).values_list("due_at", flat=True))
    assert abs(moved[0] - operation.started_at) < timedelta(milliseconds=2)
    assert abs(moved[-1] - operation.started_at - HOUR) < timedelta(milliseconds=2)
    assert dict(rows.filter(pk__in=ahead).values_list("pk", "due_at")) == ahead
    assert "batch__id__exact" in operation.filter_text


def test_what_has_changed_meanwhile_is_skipped(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    some = list(batch.executions.values_list("pk", flat=True)[:4])
    Execution.objects.filter(pk__in=some).retry()

    carried_out(operation)

    assert counts(operation) == (25, 21, 4, 0)


def test_a_crash_in_the_middle_is_gone_on_with_and_nothing_is_done_twice(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = flood(35, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    count_up, parts = carry._count_up, iter(range(10))

    def die(*args: Any, **counts: Any) -> None:
        count_up(*args, **counts)
        if next(parts) == 2:
            raise SystemExit

    monkeypatch.setattr(carry, "_count_up", die)
    with pytest.raises(SystemExit):
        carried_out(operation)
    monkeypatch.undo()
    operation.refresh_from_db()
    assert (operation.status, *counts(operation)) == ("running", 35, 20, 0, 0)
    # They run, and fail again: whoever looks at states alone would retry them twice.
    again = batch.executions.filter(status="scheduled")
    ids = list(again.values_list("pk", flat=True))
    assert len(ids) == 20
    Execution.objects.filter(pk__in=ids).cancel()
    cancelled = Execution.objects.filter(pk__in=ids, status="cancelled")
    assert cancelled.count() == 20

    carried_out(operation)

    assert (operation.status, *counts(operation)) == ("finished", 35, 35, 0, 0)
    assert cancelled.count() == 20
    assert carried_out(operation).done == 35


def test_two_that_carry_it_out_at_once_count_each_part_once(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    action = carry.action_of(operation)
    assert action
    Operation.objects.update(status="running")
    part = OperationPart.objects.earliest("number")

    carry._carry_out("default", operation, action, part)
    carry._carry_out("default", operation, action, part)

    operation.refresh_from_db()
    assert counts(operation) == (25, 10, 0, 0)
    carried_out(operation)
    assert counts(operation) == (25, 25, 0, 0)


def test_what_is_refused_is_counted_and_the_rest_is_done(admin_client: Client) -> None:
    batch = flood(25, scene=AHEAD)
    last = batch.executions.latest("due_at")
    operation = begun(admin_client, batch, "reschedule", how="later", amount="10", unit="days")
    Execution.objects.filter(pk=last.pk).update(
        due_at=last.due_at.replace(year=9999, month=12, day=31)
    )

    carried_out(operation)

    assert operation.status == "finished"
    assert counts(operation) == (25, 20, 0, 5)
    assert "9999" in operation.error
    page = admin_client.get(page_url(operation)).content.decode()
    assert "finished, partly refused" in page
    assert "9999" in page


def test_a_cancellation_ends_the_batch(admin_client: Client, work: Work) -> None:
    batch = flood(30, scene=AHEAD)
    batch.pause()

    operation = carried_out(begun(admin_client, batch, "cancel"))

    batch.refresh_from_db()
    assert (batch.status, batch.cancelled, batch.paused_at) == ("cancelled", 30, None)
    assert counts(operation) == (30, 30, 0, 0)


@pytest.mark.parametrize(("slug", "status"), [("respread", "scheduled"), ("resume", "scheduled")])
def test_verbs_of_whole_batches_are_carried_out_batch_by_batch(
    admin_client: Client, slug: str, status: str
) -> None:
    batch = flood(30, scene=AHEAD)
    if slug == "resume":
        batch.pause()

    operation = begun(admin_client, batch, slug, amount="3", unit="hours")
    carried_out(operation)

    batch.refresh_from_db()
    assert batch.status == status
    assert counts(operation) == (30, 30, 0, 0)
    # Again changes nothing: what was marked as done is gone.
    assert carried_out(operation).done == 30


def test_one_that_waits_is_aborted_at_once(admin_client: Client, work: Work) -> None:
    batch = flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry")

    abort = reverse("admin:django_agenda_operation_abort", args=[operation.pk])
    asked = admin_client.get(abort).content.decode()
    assert "<dt>left</dt><dd>25</dd>" in asked
    response = admin_client.post(abort, {"reason": "wrong batch"})
    assert message(response) == "It is aborted, after the part in hand."
    work("default")

    operation.refresh_from_db()
    assert (operation.status, *counts(operation)) == ("aborted", 25, 0, 0, 0)
    batch.refresh_from_db()
    assert batch.failed == 25
    assert log_of(operation)[-1] == "Asked to abort. Reason: wrong batch"
    assert message(admin_client.post(abort)) == "Nothing was changed."


def test_one_that_is_under_way_is_aborted_after_the_part_in_hand(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = flood(35, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    count_up = carry._count_up

    def then_abort(*args: Any, **counts: Any) -> None:
        count_up(*args, **counts)
        assert Operation.objects.get().abort()

    monkeypatch.setattr(carry, "_count_up", then_abort)
    carried_out(operation)

    assert (operation.status, *counts(operation)) == ("aborted", 35, 10, 0, 0)
    assert not operation.abort()


def test_who_begins_and_what_came_of_it_is_written_down(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)

    operation = carried_out(begun(admin_client, batch, "retry", reason="again"))

    assert log_of(operation) == [
        "Began: Retry 25 executions. Reason: again",
        "Finished: 25 done, 0 skipped, 0 failed of 25.",
    ]
    assert log_of(batch) == [
        f"Began operation {operation.pk}: Retry 25 executions. Reason: again",
        f"Operation {operation.pk} finished: 25 done, 0 skipped, 0 failed of 25.",
    ]


def test_the_end_of_an_operation_of_somebody_who_is_gone_is_no_error(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    User.objects.all().delete()

    carried_out(operation)

    assert operation.status == "finished"
    assert operation.by == "admin"
    assert not LogEntry.objects.exists()


def test_the_list_and_the_page_show_how_far_it_has_come(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry", reason="again")
    Operation.objects.update(status="running", done=10, skipped=5)

    for url in (list_url(Operation), page_url(operation)):
        text = admin_client.get(url).content.decode()
        assert "Retry 25 executions" in text
        assert "10 done, 5 skipped, 10 left of 25" in text
        assert "again" in text
        assert not NOT_ALLOWED.search(text)


def test_the_fragment_is_sent_only_when_something_has_changed(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    url = reverse("admin:django_agenda_operation_live", args=[operation.pk])

    first = admin_client.get(url)
    assert int(first["X-Agenda-Next"]) >= 2
    tag = {"if-none-match": first["ETag"]}
    assert admin_client.get(url, headers=tag).status_code == 304
    carried_out(operation)
    second = admin_client.get(url, headers=tag)

    assert (second.status_code, second["X-Agenda-Next"]) == (200, "0")
    assert "25 done of 25" in second.content.decode()


def test_the_page_of_a_batch_follows_its_operations(admin_client: Client) -> None:
    batch, other = flood(25, scene=FAILED), flood(25, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    live = reverse("admin:django_agenda_batch_live", args=[batch.pk])

    # The batch has ended, but is about to change.
    first = admin_client.get(live)
    assert int(first["X-Agenda-Next"]) >= 2
    assert page_url(operation) in first.content.decode()
    assert "Operations on this batch" not in admin_client.get(page_url(other)).content.decode()

    Operation.objects.update(status="running", done=10)
    second = admin_client.get(live, headers={"if-none-match": first["ETag"]})
    assert "10 done, 15 left of 25" in second.content.decode()
    Operation.objects.update(status="finished", done=25, finished_at=now())
    assert "25 done of 25" in admin_client.get(page_url(batch)).content.decode()

    Operation.objects.update(finished_at=now() - 2 * HOUR)
    assert "Operations on this batch" not in admin_client.get(page_url(batch)).content.decode()


def test_operations_are_not_shown_on_a_batch_to_whoever_may_not_see_them(
    admin_client: Client, client_for: ClientFor
) -> None:
    batch = flood(25, scene=FAILED)
    begun(admin_client, batch, "retry")

    text = client_for("view_batch").get(page_url(batch)).content.decode()

    assert "Operations on this batch" not in text


def test_whoever_may_not_see_operations_is_led_back(client_for: ClientFor) -> None:
    batch = flood(25, scene=FAILED)
    client = client_for("view_batch", "retry_execution")

    response = client.post(action_url(batch, "retry"))

    assert response["Location"] == page_url(batch)
    assert Operation.objects.get().total == 25


def test_without_redis_it_waits_until_redis_is_back(
    admin_client: Client, redis_server: RedisServer
) -> None:
    batch = flood(25, scene=FAILED)
    redis_server.kill()

    operation = begun(admin_client, batch, "retry")

    assert Execution.objects.get(pk=str(operation.execution_id)).status == "pending"
    redis_server.start()


def test_ended_operations_are_pruned_with_batches(admin_client: Client) -> None:
    batch = flood(25, scene=FAILED)
    ended = carried_out(begun(admin_client, batch, "retry"))
    open_one = begun(admin_client, flood(25, scene=FAILED), "retry")
    Operation.objects.filter(pk=ended.pk).update(finished_at=now() - 2 * HOUR)
    rules = Rules(executions={}, batches=now() - HOUR, workers=None)

    list(prune("default", rules, dry_run=True))
    assert Operation.objects.count() == 2
    list(prune("default", rules))

    assert Operation.objects.get() == open_one


def test_an_operation_can_be_aborted_in_a_coroutine(admin_client: Client) -> None:
    operation = begun(admin_client, flood(25, scene=FAILED), "retry")

    assert async_to_sync(operation.aabort)()

    assert operation.status == "aborted"


def test_many_workers_are_asked_within_the_request(admin_client: Client) -> None:
    WorkerFactory.create_batch(12)
    ticked = {"_selected_action": [str(one.pk) for one in Worker.objects.all()]}

    admin_client.post(list_url(Worker), {"action": "quiet", "confirmed": "yes", **ticked})

    assert Worker.objects.filter(requested="quiet").count() == 12
    assert not Operation.objects.exists()


def test_an_operation_that_redis_refused_says_so_and_is_not_green(
    admin_client: Client, redis_server: RedisServer
) -> None:
    batch = flood(200, scene=Scene(outage=None, refused=0.4))
    operation = begun(admin_client, batch, "enqueue", which="overdue")
    redis_server.kill()

    operation = carried_out(operation)

    assert counts(operation) == (batch.pending, 0, 0, batch.pending)
    assert "Connect" in operation.error
    page = admin_client.get(page_url(operation)).content.decode()
    assert "finished, all were refused" in page
    assert "Refused:" in page
    assert "ag-badge ag-s-succeeded" not in page


def test_an_operation_that_found_nothing_to_do_is_not_green(admin_client: Client) -> None:
    batch = flood(35, scene=FAILED)
    operation = begun(admin_client, batch, "retry")
    batch.retry_failed()

    operation = carried_out(operation)

    assert counts(operation) == (35, 0, 35, 0)
    page = admin_client.get(page_url(operation)).content.decode()
    assert "finished, nothing was done" in page
