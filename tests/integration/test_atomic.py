"""`@task(atomic=True)`: what a body writes and what came of it are committed together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection

from django_agenda import Agenda, Call, schedule, task
from django_agenda.clock import now
from django_agenda.models import Attempt, Execution
from tests import atomic_tasks, tasks
from tests.sound import assert_counters_equal_rows

from .conftest import Work


def names() -> list[str]:
    return sorted(User.objects.values_list("username", flat=True))


def test_effects_and_outcome_are_there_together(work: Work) -> None:
    calls = [Call(atomic_tasks.create_user_atomically, (name,)) for name in "abc"]
    batch = Agenda(calls).scatter(
        start=now(), over=timedelta(microseconds=1), on_complete=tasks.note_batch
    )

    work()

    assert names() == ["a", "b", "c"]
    batch = assert_counters_equal_rows(batch)
    assert (batch.succeeded, batch.status) == (3, "succeeded")
    assert batch.callbacks.get().status == "succeeded"
    assert [row.return_value for row in batch.executions.all()] == ["a", "b", "c"]


def test_a_body_that_fails_leaves_no_effect_and_is_tried_again(work: Work, ledger: str) -> None:
    row = schedule(atomic_tasks.create_user_and_fail_once)(ledger, "u")

    work(max_tasks=2)

    row.refresh_from_db()
    assert (row.status, row.return_value, row.attempts) == ("succeeded", 2, 2)
    assert names() == ["u 2"]
    outcomes = list(Attempt.objects.order_by("number").values_list("outcome", flat=True))
    assert outcomes == ["failed", "succeeded"]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_who_lost_the_claim_meanwhile_leaves_no_effect(work: Work) -> None:
    row = schedule(atomic_tasks.create_user_and_lose_the_claim)("u")

    work(max_tasks=1)

    assert names() == []
    row.refresh_from_db()
    # Whoever stole it decides what becomes of it; a caretaker took it back.
    assert row.status in ("running", "scheduled")
    assert row.return_value is None
    Execution.objects.all().delete()


def test_a_result_that_is_refused_rolls_the_effects_back(work: Work) -> None:
    row = schedule(atomic_tasks.create_user_and_return_a_set)("u")

    work()

    row.refresh_from_db()
    assert (row.status, row.error_class) == ("failed", "TypeError")
    assert names() == []


def test_an_error_that_was_hidden_from_the_transaction_rolls_it_back(work: Work) -> None:
    row = schedule(atomic_tasks.create_user_and_hide_an_error)("u")

    work()

    row.refresh_from_db()
    assert (row.status, names()) == ("failed", [])
    assert "TransactionManagementError" in row.error_class


def test_a_hook_that_breaks_after_the_commit_changes_nothing(work: Work) -> None:
    row = schedule(atomic_tasks.create_user_with_a_broken_hook)("u")

    work()

    row.refresh_from_db()
    assert (row.status, names()) == ("succeeded", ["u"])


@pytest.mark.parametrize("fail", [True, False])
def test_what_it_schedules_is_committed_with_it(work: Work, ledger: str, fail: bool) -> None:
    schedule(atomic_tasks.create_user_and_schedule)(ledger, fail)

    work()

    assert tasks.lines(ledger) == ([] if fail else ["child"])
    assert names() == ([] if fail else ["parent"])
    assert Execution.objects.count() == (1 if fail else 2)


def test_a_time_out_rolls_back(work: Work) -> None:
    row = schedule(atomic_tasks.create_user_for_ever)("u")

    work()

    row.refresh_from_db()
    assert (row.status, row.failed_stage, row.error_class) == ("failed", "timeout", "TimeoutError")
    assert names() == []


def test_a_transaction_that_another_body_left_open_takes_nothing_with_it(work: Work) -> None:
    schedule(tasks.leave_a_transaction_open)()
    row = schedule(atomic_tasks.create_user_atomically, after=0.05)("u")

    work(max_tasks=2, concurrency=1)

    row.refresh_from_db()
    assert (row.status, names()) == ("succeeded", ["u"])


def test_a_coroutine_cannot_be_atomic() -> None:
    with pytest.raises(ValueError, match="cannot span an await"):
        task(atomic=True)(tasks.add_async.function)
    with pytest.raises(TypeError, match="'atomic' must be True or False, not 'yes'"):
        task(atomic="yes")(tasks.plain)
