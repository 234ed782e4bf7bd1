"""What a body says and asks while it runs: its context, how far it is, and another attempt."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from django_agenda import Agenda, Call, ExecutionFailed, schedule
from django_agenda.clock import now
from django_agenda.models import Attempt, Execution
from django_agenda.tasks.context import Context, running
from django_agenda.tasks.current import current
from django_agenda.tasks.reached import Reached
from tests import control_tasks
from tests import inside_tasks as tasks
from tests.tasks import lines
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker, Work

BOTH = pytest.mark.parametrize("task", [tasks.tell, tasks.tell_async], ids=["sync", "async"])
ASKS = pytest.mark.parametrize(
    "task", [tasks.ask_until, tasks.ask_until_async], ids=["sync", "async"]
)


@BOTH
def test_a_task_that_takes_its_context_gets_it_first(task: object, work: Work) -> None:
    row = schedule(task)(7, word="x")

    work()

    assert row.wait(1) == [str(row.pk), 1, 7, "x"]


def test_arguments_are_judged_without_the_context(work: Work) -> None:
    row = schedule(tasks.tell)(1, 2)

    work()

    row.refresh_from_db()
    assert (row.status, row.error_class) == ("failed", "BadArguments")


def test_secrets_are_found_behind_the_context(work: Work) -> None:
    row = schedule(tasks.pay_by_card)("a@example.com", "41111111")

    work()

    row.refresh_from_db()
    assert "41111111" not in row.error_message + row.traceback
    assert "a@example.com" in row.error_message


def test_its_lines_end_with_batch_and_execution(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    batch = Agenda([Call(control_tasks.tell)]).scatter(
        start=now() - timedelta(hours=1), over=timedelta(seconds=1)
    )

    with caplog.at_level(logging.WARNING):
        work()

    [line] = [line for line in caplog.records if line.message.startswith("told")]
    row = batch.executions.get()
    assert line.message == f"told execution={row.pk.hex} attempt=1 batch={batch.pk}"
    assert (line.batch, line.execution) == (batch.pk, row.pk.hex)  # type: ignore[attr-defined]


@pytest.mark.parametrize("task", [tasks.count_up, tasks.count_up_async], ids=["sync", "async"])
def test_how_far_it_is_can_be_seen_while_it_runs(
    task: object, ledger: str, tmp_path: Path, configure: Configure
) -> None:
    end = tmp_path / "end"
    row = schedule(task)(ledger, str(end))

    with RunningWorker():
        wait_until(lambda: bool(lines(ledger)), 10)
        wait_until(lambda: reached(row) == (1000, 1000, "row 1000"), 10)
        assert (row.status, row.progress) == ("running", 1.0)
        end.touch()
        assert row.wait(10) == "done"

    assert reached(row) == (1000, 1000, "")


def test_a_body_that_failed_shows_how_far_it_came(work: Work) -> None:
    row = schedule(tasks.fail_halfway)()

    work()

    assert reached(row) == (50, 100, "halfway")
    assert row.progress == 0.5


def test_an_attempt_that_is_to_come_has_not_begun(work: Work) -> None:
    row = schedule(tasks.ask_until)(2, after=3600)

    work()

    assert reached(row) == (None, None, "")
    assert row.progress is None
    row.cancel()


def test_what_another_worker_runs_by_now_is_left_alone(ledger: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    row = schedule(tasks.count_up)(ledger, str(end))

    with RunningWorker() as running_worker:
        wait_until(lambda: reached(row)[0] == 1000, 10)
        Execution.objects.filter(pk=row.pk).update(progress_done=1, attempts=2)
        [context] = running_worker.process._in_hand.contexts()
        context.reached = Reached(3, 1000)
        wait_until(lambda: context.stored is context.reached, 10)
        assert reached(row)[0] == 1
        Execution.objects.filter(pk=row.pk).update(attempts=1)
        end.touch()
        assert row.wait(10) == "done"


def test_telling_how_far_it_is_asks_nobody(django_assert_num_queries: Any) -> None:
    context = Context(id="0" * 32, task_name="x", attempt=1, key=None)
    with running(context), django_assert_num_queries(0):
        for number in range(1000):
            current.progress(number, 1000, "row")

    assert context.reached == (999, 1000, "row")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ((-1,), ValueError, "'done'.*-1"),
        ((1.5,), TypeError, "'done'.*1.5"),
        ((True,), TypeError, "'done'.*True"),
        (("3",), TypeError, "'done'.*'3'"),
        ((2, 1), ValueError, "done=2, total=1"),
        ((0, "x"), TypeError, "'total'.*'x'"),
        ((2**63,), ValueError, "9223372036854775808"),
        ((0, 2**63), ValueError, "total=9223372036854775808"),
        ((0, 1, b"x"), TypeError, "'message'.*b'x'"),
        ((0, 1, None), TypeError, "'message'.*None"),
        ((0, 1, "x" * 256), ValueError, "255 characters, not 256"),
        ((0, 1, "a\0b"), ValueError, "NUL"),
        ((0, 1, "\ud800"), ValueError, "surrogate"),
    ],
)
def test_a_bad_value_is_named(given: Any, error: type[Exception], words: str) -> None:
    context = Context(id="0" * 32, task_name="x", attempt=1, key=None)
    with running(context), pytest.raises(error, match=words):
        current.progress(*given)
    assert context.reached is None


@ASKS
def test_it_is_tried_again_as_often_as_it_asks(task: object, work: Work) -> None:
    row = schedule(task)(4, after=0.01)

    work()

    assert row.wait(1) == 4
    row.refresh_from_db()
    assert (row.attempts, row.max_attempts) == (4, 4)
    words = ["retried", "retried", "retried", "succeeded"]
    assert list(Attempt.objects.values_list("outcome", flat=True)) == words


@ASKS
def test_it_waits_until_the_moment_that_was_asked_for(task: object, work: Work) -> None:
    moment = datetime(2040, 1, 31, 12, 30, tzinfo=UTC)
    row = schedule(task)(2, at=moment)

    work()

    row.refresh_from_db()
    assert (row.status, row.due_at, row.attempts) == ("scheduled", moment, 1)
    assert (row.error_class, row.error_fingerprint, row.failed_stage) == ("", "", "")
    row.cancel()


@pytest.mark.parametrize("task", [tasks.swallow, tasks.catch_errors])
def test_to_catch_it_changes_nothing(task: object, work: Work) -> None:
    row = schedule(task)(2)

    work()

    assert row.wait(1) == 2


def test_what_was_asked_for_takes_nothing_from_the_tries_for_failures(work: Work) -> None:
    row = schedule(tasks.ask_then_fail)()

    work()

    with pytest.raises(ExecutionFailed, match="for good"):
        row.wait(1)
    outcomes = list(Attempt.objects.order_by("number").values_list("outcome", flat=True))
    assert outcomes == ["retried"] * 3 + ["failed"] * 2
    row.retry()
    row.refresh_from_db()
    assert row.max_attempts == 5 + 2
    work()


def test_the_error_at_hand_is_the_reason_without_its_secrets(work: Work) -> None:
    row = schedule(tasks.ask_because)("41111111")

    work()

    assert row.wait(1) == "sent"
    first = Attempt.objects.get(number=1)
    assert first.error_class == "tests.tasks.Refusal"
    assert first.error_message.startswith("slow down with ")
    assert "41111111" not in first.error_message + first.traceback


@pytest.mark.parametrize("swallows", [False, True])
def test_an_atomic_task_that_asks_leaves_nothing_behind(swallows: bool, work: Work) -> None:
    row = schedule(tasks.ask_atomically)("one", swallows)

    work()

    assert row.wait(1) == 1
    assert list(User.objects.values_list("username", flat=True)) == ["one-2"]


def test_a_transaction_that_it_leaves_by_asking_is_rolled_back(work: Work) -> None:
    row = schedule(tasks.ask_inside_a_transaction)("one")

    work()

    assert row.wait(1) == 0


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({}, "needs one of 'after' and 'at'"),
        ({"after": 5.0, "at": "2040-01-01T00:00:00+00:00"}, "not both"),
        ({"at": "2040-01-01T00:00:00"}, "is naive"),
        ({"after": -5.0}, "must be positive"),
        ({"after": 8.64e13 - 86400}, "year 9999"),
    ],
)
def test_a_wrong_moment_fails_the_body(when: Any, words: str, work: Work) -> None:
    row = schedule(tasks.ask_wrongly)(**when)

    work()

    row.refresh_from_db()
    assert row.error_class == "ValueError"
    assert words in row.error_message


def test_who_asks_and_was_cancelled_is_cancelled(ledger: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    row = schedule(tasks.compute)(ledger, str(end))

    with RunningWorker():
        wait_until(lambda: bool(lines(ledger)), 10)
        row.cancel()
        end.touch()
        wait_until(lambda: Execution.objects.filter(pk=row.pk, status="cancelled").exists(), 10)


def reached(row: Execution) -> tuple[int | None, int | None, str]:
    row.refresh_from_db()
    return row.progress_done, row.progress_total, row.progress_message
