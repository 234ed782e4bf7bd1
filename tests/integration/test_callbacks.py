"""on_success, on_failure and on_complete: each at most once in a batch's life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from django_agenda import Agenda, Call
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, counters
from django_agenda.scheduling.callbacks import fire
from django_agenda.scheduling.cancel import cancel
from tests import tasks
from tests.sound import assert_counters_equal_rows

from .conftest import Configure, Work

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
WAYS: dict[str, Any] = {
    "on_success": tasks.note_batch,
    "on_failure": tasks.plain,
    "on_complete": tasks.mail,
}
NAMES = {
    "on_success": "tests.tasks.note_batch",
    "on_failure": "tests.tasks.plain",
    "on_complete": "tests.tasks.mail",
}


def scatter(calls: list[Call], **options: Any) -> Batch:
    given: dict[str, Any] = {"start": now() - timedelta(hours=1), "over": timedelta(seconds=1)}
    return Agenda(calls).scatter(**given | WAYS | options)


def fired(batch: Batch) -> list[str]:
    by_name = {name: event for event, name in NAMES.items()}
    rows = Execution.objects.filter(callback_of=batch)
    assert all(row.args == [batch.pk] and row.batch is None for row in rows)
    return sorted(by_name[row.task_name] for row in rows)


GOOD, BAD = Call(tasks.nothing), Call(tasks.fail)


@pytest.mark.parametrize(
    ("calls", "events"),
    [
        ([GOOD] * 5, ["on_complete", "on_success"]),
        ([GOOD, BAD, GOOD, BAD, BAD], ["on_complete", "on_failure"]),
        ([BAD], ["on_complete", "on_failure"]),
        ([], ["on_complete", "on_success"]),
        (
            [Call(tasks.nothing, key="k"), Call(tasks.nothing, key="k")],
            ["on_complete", "on_success"],
        ),
        ([Call(tasks.perishable)] * 2, ["on_complete", "on_failure"]),
    ],
    ids=["all good", "some bad", "one bad", "empty", "skipped is neutral", "missed"],
)
def test_what_happened_is_called_once(calls: list[Call], events: list[str], work: Work) -> None:
    batch = scatter(calls)

    work()

    assert fired(batch) == events
    rows = Execution.objects.filter(callback_of=batch)
    assert {row.status for row in rows} == {"succeeded"}
    assert [row.return_value for row in rows] == [batch.pk] * len(events)
    assert_counters_equal_rows(batch)


def test_a_callback_keeps_the_policies_of_its_task(work: Work) -> None:
    batch = scatter([])

    row = Execution.objects.get(callback_of=batch, task_name="tests.tasks.mail")

    assert (row.queue_name, row.priority, row.max_attempts) == ("mail", 7, 4)


def test_on_failure_waits_for_the_last_try(work: Work, ledger: str) -> None:
    batch = scatter([Call(tasks.fail_and_wait, (ledger,))])
    work()

    assert fired(batch) == []


def test_on_failure_fires_while_others_still_wait(work: Work) -> None:
    batch = scatter([BAD, GOOD], start=now(), over=timedelta(hours=1))
    work()

    assert fired(batch) == ["on_failure"]


def test_a_cancelled_batch_is_complete_but_no_success() -> None:
    batch = scatter([GOOD] * 3, start=START)

    cancel(batch.executions.all())

    assert fired(batch) == ["on_complete"]
    assert assert_counters_equal_rows(batch).status == "cancelled"


def test_a_cancellation_that_is_rolled_back_calls_nothing() -> None:
    batch = scatter([GOOD] * 3, start=START)

    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        cancel(batch.executions.all())
        raise ZeroDivisionError

    assert fired(batch) == []
    assert assert_counters_equal_rows(batch).scheduled == 3


def test_many_outcomes_in_small_chunks_call_once(work: Work, configure: Configure) -> None:
    batch = scatter([GOOD if number % 3 else BAD for number in range(200)])

    work(concurrency=8)

    assert fired(batch) == ["on_complete", "on_failure"]
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.failed, batch.succeeded) == ("partly_failed", 67, 133)


def test_what_was_called_is_never_called_again(work: Work) -> None:
    batch = scatter([BAD, GOOD], start=now(), over=timedelta(hours=1))
    work()
    cancel(batch.executions.filter(status="scheduled"))
    before = set(batch.callbacks.all())
    assert fired(batch) == ["on_complete", "on_failure"]

    with transaction.atomic():
        states = counters.apply("default", {batch.pk: {"failed": 0}})
        assert fire("default", states) == []

    assert set(batch.callbacks.all()) == before


def test_a_callback_whose_task_is_gone_waits_for_a_worker_that_knows_it(work: Work) -> None:
    batch = scatter([GOOD])
    Batch.objects.filter(pk=batch.pk).update(on_complete="gone.tasks.away", on_success="")

    work()

    row = Execution.objects.get(callback_of=batch)
    assert (row.task_name, row.status, row.held_by) == (
        "gone.tasks.away",
        "scheduled",
        "unknown task",
    )
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_callback_whose_module_is_broken_does_not_lose_the_outcome(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = scatter([GOOD])
    Batch.objects.filter(pk=batch.pk).update(on_complete="tests.broken_app.f", on_success="")

    work()

    assert assert_counters_equal_rows(batch).status == "succeeded"
    assert Execution.objects.get(callback_of=batch).status == "scheduled"
