"""What a worker does with what is due, in this process."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from django_agenda import Agenda, Call, schedule, schedule_many, signals
from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Execution, Worker
from django_agenda.signals import batch_finished, execution_finished
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_all_ended, assert_counters_equal_rows
from tests.spoiling import spoil
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker, Work

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
LONG_AGO = timedelta(hours=1)


def overdue(calls: list[Call], **options: Any) -> Batch:
    given: dict[str, Any] = {"start": now() - LONG_AGO, "over": timedelta(seconds=1)}
    return Agenda(calls).scatter(**given | options)


# --- outcomes ---


def test_a_success_is_recorded_with_its_value_and_no_attempt_row(work: Work) -> None:
    row = schedule(tasks.add)(2, 3)

    work(worker_id="w1")

    row.refresh_from_db()
    assert (row.status, row.return_value, row.attempts, row.worker) == ("succeeded", 5, 1, "w1")
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.due_at <= row.started_at <= row.finished_at
    assert row.lag_ms is not None
    assert row.run_ms is not None
    assert (row.error_class, row.error_message, row.traceback) == ("", "", "")
    assert not Attempt.objects.exists()
    assert_all_ended()


def test_a_failure_is_recorded_with_its_error_and_an_attempt_row(work: Work) -> None:
    row = schedule(tasks.fail)("no such customer")

    work()

    row.refresh_from_db()
    assert (row.status, row.attempts, row.failed_stage) == ("failed", 1, "run")
    assert row.error_class == "tests.tasks.Refusal"
    assert row.error_message == "no such customer"
    assert "no such customer" in row.traceback
    assert "tasks.py" in row.traceback
    assert len(row.error_fingerprint) == 16
    attempt = Attempt.objects.get()
    assert (attempt.execution, attempt.number, attempt.outcome) == (row, 1, "failed")
    assert attempt.error_message == "no such customer"


def test_secret_arguments_leave_no_trace_in_what_is_kept_of_an_error(work: Work) -> None:
    rows = schedule_many(
        [Call(tasks.fail_to_pay, (f"4111 1111\\{n}",), {"token": f"tok-{n}-123"}) for n in range(2)]
    )

    work()

    for row in rows:
        row.refresh_from_db()
        kept = f"{row.error_message} {row.traceback} {row.attempt_set.get().error_message}"
        assert "was refused for" in kept
        assert "4111" not in kept
        assert "tok-" not in kept
    assert rows[0].error_fingerprint == rows[1].error_fingerprint


def test_the_same_error_has_the_same_fingerprint_whatever_its_numbers(work: Work) -> None:
    rows = schedule_many([Call(tasks.fail, (f"customer {n} is gone",)) for n in (1, 22, 333)])
    other = schedule(tasks.fail)("something else")

    work()

    found = Execution.objects.in_bulk([row.pk for row in (*rows, other)])
    prints = [found[row.pk].error_fingerprint for row in rows]
    assert len(set(prints)) == 1
    assert found[other.pk].error_fingerprint not in prints


def test_async_tasks_run_and_may_use_the_orm(work: Work) -> None:
    User.objects.create(username="ann")
    one, two = schedule(tasks.add_async)(2, 3), schedule(tasks.count_users_async)()

    work()

    assert (one.wait(20), two.wait(20)) == (5, 1)


def test_typed_arguments_and_results_come_back_as_they_were(work: Work) -> None:
    given: dict[str, Any] = {
        "moment": START,
        "wait": timedelta(days=1),
        "id": uuid4(),
        "$": {"$date": 1},
    }
    row = schedule(tasks.echo)([1, (2, 3)], **given)

    work()

    assert row.wait(20) == [[[1, [2, 3]]], given]


@pytest.mark.parametrize("task", [tasks.return_a_set, tasks.return_hostile_text])
def test_a_result_that_is_not_json_is_a_failure(task: Any, work: Work) -> None:
    row = schedule(task)()

    work()

    row.refresh_from_db()
    assert row.status == "failed"
    assert "return value" in row.error_message


def test_a_result_over_the_limit_is_a_failure(work: Work, configure: Configure) -> None:
    configure(MAX_PAYLOAD_BYTES=1000)
    row, fits = schedule(tasks.return_much)(2000), schedule(tasks.return_much)(900)

    work()

    row.refresh_from_db()
    assert row.status == "failed"
    assert "1000" in row.error_message
    assert fits.wait(20) == "x" * 900


def test_arguments_that_cannot_be_decoded_are_a_failure_of_that_execution_only(work: Work) -> None:
    """As a newer version has written them, which was then taken back."""
    bad, good = schedule(tasks.add)(1, 2), schedule(tasks.add)(1, 2)
    spoil(bad)

    work()

    bad.refresh_from_db(fields=["status", "error_message"])
    assert bad.status == "failed"
    assert "the unknown tag '$newer'" in bad.error_message
    assert good.wait(20) == 3


def test_wrong_arguments_are_a_failure_of_that_execution_only(work: Work) -> None:
    bad, good = schedule(tasks.add)(1), schedule(tasks.add)(1, 2)

    work()

    bad.refresh_from_db()
    assert (bad.status, bad.error_class) == ("failed", "BadArguments")
    assert good.wait(20) == 3


@pytest.mark.parametrize("kind", [*tasks.HOSTILE, "recursion"])
@pytest.mark.parametrize("task", [tasks.raise_hostile, tasks.raise_hostile_async])
def test_whatever_a_body_raises_is_an_outcome(task: Any, kind: str, work: Work) -> None:
    row, after = schedule(task)(kind), schedule(tasks.add, after=0.05)(1, 2)

    work(max_tasks=2, concurrency=1)

    row.refresh_from_db()
    after.refresh_from_db()
    assert (row.status, after.status) == ("failed", "succeeded")
    assert row.error_class
    assert len(row.error_message) < 10_000
    assert len(row.traceback) < 100_000


def test_an_exit_in_a_child_of_an_async_body_does_not_end_the_loop(work: Work) -> None:
    row = schedule(tasks.exit_in_a_child)()
    work(max_tasks=1)
    after = schedule(tasks.add_async)(1, 2)
    work()

    row.refresh_from_db()
    assert row.status == "failed"
    assert after.wait(20) == 3


def test_an_async_body_that_cancels_itself_is_recorded(work: Work) -> None:
    row = schedule(tasks.cancel_itself)()

    work(max_tasks=1)

    row.refresh_from_db()
    assert row.status in ("succeeded", "failed")


def test_a_transaction_that_a_body_leaves_open_is_rolled_back(work: Work) -> None:
    left = schedule(tasks.leave_a_transaction_open)()
    after = schedule(tasks.add, after=0.05)(1, 2)

    work(max_tasks=2, concurrency=1)

    left.refresh_from_db()
    assert after.wait(1) == 3
    assert not left.is_live
    assert not User.objects.exists()


# --- retries ---


def test_a_retry_waits_with_a_later_moment_and_keeps_its_error(work: Work, ledger: str) -> None:
    batch = overdue([Call(tasks.fail_and_wait, (ledger,), key="k")])

    work()

    row = batch.executions.get()
    assert (row.status, row.attempts, row.finished_at) == ("scheduled", 1, None)
    assert row.due_at > now() + timedelta(minutes=50)
    assert row.error_message == "later"
    assert row.live_key == "k"
    assert Attempt.objects.get().outcome == "failed"
    batch = assert_counters_equal_rows(batch)
    assert (batch.scheduled, batch.running, batch.failed) == (1, 0, 0)


def test_a_batch_whose_only_execution_awaits_its_retry_has_started(work: Work, ledger: str) -> None:
    batch = overdue([Call(tasks.fail_and_wait, (ledger,))])

    work()

    batch.refresh_from_db()
    assert batch.status == "running"


def test_tries_end_at_max_attempts(work: Work, ledger: str) -> None:
    batch = overdue([Call(tasks.fail_thrice, (ledger,))])

    work(max_tasks=3)

    row = batch.executions.get()
    assert (row.status, row.attempts) == ("failed", 3)
    assert tasks.lines(ledger) == ["tried"] * 3
    assert list(Attempt.objects.values_list("number", "outcome")) == [
        (1, "failed"),
        (2, "failed"),
        (3, "failed"),
    ]
    assert assert_counters_equal_rows(batch).status == "failed"


def test_a_retry_that_succeeds_clears_the_error_and_keeps_its_tries(
    work: Work, ledger: str
) -> None:
    row = schedule(tasks.succeed_at)(ledger, 3)

    work(max_tasks=3)

    row.refresh_from_db()
    assert (row.status, row.attempts, row.return_value) == ("succeeded", 3, 3)
    assert (row.error_class, row.error_message, row.traceback) == ("", "", "")
    assert (row.failed_stage, row.error_fingerprint) == ("", "")
    outcomes = list(Attempt.objects.values_list("outcome", flat=True))
    assert outcomes == ["failed", "failed", "succeeded"]


@pytest.mark.parametrize(
    ("task", "tries"),
    [(tasks.give_up, 1), (tasks.retry_only_os_errors, 1), (tasks.give_up_by_backoff, 2)],
)
def test_what_is_not_worth_a_retry_fails_at_once(
    task: Any, tries: int, work: Work, ledger: str
) -> None:
    row = schedule(task)(ledger)

    work(max_tasks=tries)

    row.refresh_from_db()
    assert (row.status, row.attempts) == ("failed", tries)


def test_a_crash_of_the_worker_does_not_use_up_a_try(work: Work, ledger: str) -> None:
    row = schedule(tasks.fail_and_wait)(ledger)
    Execution.objects.filter(pk=row.pk).update(attempts=2, crashes=2)

    work()

    row.refresh_from_db()
    assert (row.status, row.attempts, row.max_attempts) == ("scheduled", 3, 3)


def test_a_backoff_that_fails_itself_ends_the_execution_and_says_so(work: Work) -> None:
    row = schedule(tasks.broken_backoff)()

    work()

    row.refresh_from_db()
    assert row.status == "failed"
    assert "the body" in row.error_message
    assert "the backoff itself" in row.error_message


def test_a_retry_is_not_early(work: Work, ledger: str) -> None:
    row = schedule(tasks.succeed_at)(ledger, 2)

    work(max_tasks=2)

    first, second = Attempt.objects.filter(execution=row)
    assert second.started_at is not None
    assert second.due_at is not None
    assert second.started_at >= second.due_at
    assert second.due_at >= first.finished_at + timedelta(seconds=tasks.SOON - 0.005)


# --- time-outs and expiry ---


@pytest.mark.parametrize(
    "task", [tasks.loop_forever, tasks.swallow_the_timeout, tasks.sleep_forever_async]
)
def test_a_time_out_ends_the_attempt(task: Any, work: Work) -> None:
    row, after = schedule(task)(), schedule(tasks.add, after=0.2)(1, 2)

    work(max_tasks=2, concurrency=1)

    row.refresh_from_db()
    assert (row.status, row.error_class) == ("failed", "TimeoutError")
    assert row.failed_stage == "timeout"
    assert Attempt.objects.get(execution=row).outcome == "timed_out"
    assert row.run_ms is not None
    assert 90 <= row.run_ms < 2000
    assert after.wait(1) == 3


def test_a_body_that_is_in_time_is_left_alone(work: Work) -> None:
    row = schedule(tasks.in_time)()

    work()

    assert row.wait(20) == "in time"


def test_what_did_not_start_in_time_is_missed(work: Work, ledger: str) -> None:
    batch = overdue([Call(tasks.note, (ledger,)), Call(tasks.nothing)], expires=60)

    work()

    assert {row.status for row in batch.executions.all()} == {"missed"}
    assert tasks.lines(ledger) == []
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.missed) == ("failed", 2)
    row = batch.executions.all()[0]
    assert (row.attempts, row.started_at) == (0, None)
    assert row.error_message


def test_what_starts_in_time_is_not_missed(work: Work) -> None:
    batch = overdue([Call(tasks.nothing)], expires=2 * LONG_AGO)

    work()

    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_retry_expires_counted_from_its_own_moment(work: Work, ledger: str) -> None:
    batch = overdue(
        [Call(tasks.succeed_at, (ledger, 2))],
        start=now(),
        over=timedelta(microseconds=2),
        expires=5,
    )

    work(max_tasks=2)

    row = batch.executions.get()
    assert row.status == "succeeded"
    assert row.expires_at == row.due_at + timedelta(seconds=5)


# --- time ---


def test_nothing_starts_early(work: Work, ledger: str) -> None:
    agenda = Agenda([Call(tasks.nothing)] * 60)
    batch = agenda.scatter(start=now() + timedelta(milliseconds=150), over=timedelta(seconds=0.6))

    work(max_tasks=60)

    rows = list(batch.executions.all())
    assert all(row.started_at >= row.due_at for row in rows if row.started_at)
    assert [row.status for row in rows] == ["succeeded"] * 60


def test_under_a_backlog_the_higher_priority_runs_first(work: Work) -> None:
    low = schedule_many([Call(tasks.plain, (n,)) for n in range(30)])
    high = schedule_many([Call(tasks.urgent, (n,)) for n in range(3)])

    work(concurrency=1)

    rows = Execution.objects.filter(pk__in=[row.pk for row in (*low, *high)])
    order = list(rows.order_by("started_at").values_list("priority", flat=True))
    assert order == [50] * 3 + [0] * 30


def test_something_new_that_is_due_at_once_wakes_an_idle_worker(configure: Configure) -> None:
    configure(MAX_BLOCK=15, CARETAKER_INTERVAL=60)
    with RunningWorker() as running:
        wait_until(running.is_idle)
        row = schedule(tasks.add)(1, 2)
        assert row.wait(20) == 3
        row.refresh_from_db()
        assert row.lag_ms is not None
        assert row.lag_ms < 5000


def test_something_earlier_than_what_is_awaited_wakes_an_idle_worker(
    configure: Configure,
) -> None:
    configure(MAX_BLOCK=15, CARETAKER_INTERVAL=60)
    schedule(tasks.nothing, after=3600)()
    with RunningWorker() as running:
        wait_until(running.is_idle)
        row = schedule(tasks.add, after=0.3)(1, 2)
        assert row.wait(20) == 3
        row.refresh_from_db()
        assert row.lag_ms is not None
        assert row.lag_ms < 5000


# --- names ---


def test_what_no_worker_here_knows_is_put_aside_and_shown(work: Work) -> None:
    row = stranger("elsewhere.tasks.only_here")

    work()

    row.refresh_from_db()
    assert (row.status, row.held_by, row.attempts) == ("scheduled", "unknown task", 0)
    assert row.worker == ""


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.run",
        "tests.tasks.Path.write_text",
        "tests.tasks.append.__call__",
        "tests.tasks.wait_until",
        "tests.tasks.task",
        "django.core.management.call_command",
        "antigravity.fly",
    ],
)
def test_what_is_in_a_row_is_never_imported_nor_run(
    name: str, work: Work, capfd: pytest.CaptureFixture[str]
) -> None:
    row = stranger(name, "echo hello")

    work()

    row.refresh_from_db()
    assert row.status == "scheduled"
    assert row.held_by == "unknown task"
    assert "antigravity" not in sys.modules
    assert "hello" not in capfd.readouterr().out


@pytest.mark.parametrize("name", ["tests.broken_app.f", "tests..f", "tests.a/b.f", "", "."])
def test_a_name_that_cannot_be_looked_up_does_not_stop_the_worker(name: str, work: Work) -> None:
    row, good = stranger(name), schedule(tasks.add)(1, 2)

    work()

    row.refresh_from_db()
    assert row.status == "scheduled"
    assert good.wait(1) == 3


def test_a_worker_that_knows_the_name_adopts_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    agenda = Agenda([Call(tasks.plain, (7,))])
    batch = agenda.scatter(start=now() - LONG_AGO, over=timedelta(seconds=1))
    batch.executions.update(task_name="elsewhere.tasks.only_here")
    work()

    know_more(monkeypatch)
    work()

    row = batch.executions.get()
    assert (row.status, row.return_value, row.attempts, row.held_by) == ("succeeded", 7, 1, "")
    assert assert_counters_equal_rows(batch).status == "succeeded"


@pytest.mark.parametrize("served", [(("other",), ()), (("*",), ("default",))])
def test_a_worker_adopts_only_from_its_own_queues(
    served: tuple[tuple[str, ...], tuple[str, ...]],
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = stranger("elsewhere.tasks.only_here", 7)
    work()
    know_more(monkeypatch)

    work(*served[0], excluded=served[1])

    row.refresh_from_db()
    assert row.status == "scheduled"


def test_what_was_put_aside_and_expired_is_missed_once_somebody_knows_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stranger("elsewhere.tasks.only_here", 7)
    work()
    Execution.objects.filter(pk=row.pk).update(
        expires_ms=1000, expires_at=now() - timedelta(minutes=1)
    )
    know_more(monkeypatch)

    work()

    row.refresh_from_db()
    assert row.status == "missed"


def stranger(name: str, *args: Any) -> Execution:
    row = schedule(tasks.plain)(*args)
    Execution.objects.filter(pk=row.pk).update(task_name=name)
    return row


def know_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from django_agenda.tasks import registry
    from django_agenda.tasks.task import Task

    monkeypatch.setitem(registry._tasks, "elsewhere.tasks.only_here", Task(tasks.plain))


# --- hostile Redis ---


@pytest.mark.parametrize("member", ["garbage", "", "\0", "' OR 1=1 --", "0" * 32, "f" * 33])
def test_a_member_of_redis_that_is_no_id_does_no_harm(
    member: str, work: Work, redis_server: RedisServer
) -> None:
    row = schedule(tasks.add)(1, 2)
    redis_server.client.zadd("{test}:due:default", {member: 1})

    work()

    assert row.wait(1) == 3


def test_a_member_of_redis_that_is_no_text_does_no_harm(
    work: Work, redis_server: RedisServer
) -> None:
    row = schedule(tasks.add)(1, 2)
    redis_server.client.zadd("{test}:due:default", {b"\xff\xfe": 1})

    work()

    assert row.wait(1) == 3


def test_an_entry_that_is_stale_or_doubled_runs_nothing_twice(
    work: Work, redis_server: RedisServer, ledger: str
) -> None:
    row = schedule(tasks.note)(ledger)
    work()
    redis_server.client.zadd("{test}:due:default", {row.pk.hex: 1})
    redis_server.client.zadd("{test}:due:other", {row.pk.hex: 1})
    redis_server.client.sadd("{test}:queues", "other")

    work()

    assert tasks.lines(ledger) == ["ran"]


def test_an_entry_that_is_early_waits_for_its_row(
    work: Work, redis_server: RedisServer, ledger: str
) -> None:
    row = schedule(tasks.note, at=START)(ledger)
    redis_server.client.zadd("{test}:due:default", {row.pk.hex: 1})

    work()

    row.refresh_from_db()
    assert (row.status, row.attempts) == ("scheduled", 0)
    assert tasks.lines(ledger) == []
    score = redis_server.client.zscore("{test}:due:default", row.pk.hex)
    assert score is not None
    assert int(score) // 256 == int(START.timestamp() * 1000)


def test_a_redis_that_was_flushed_is_filled_again(work: Work, redis_server: RedisServer) -> None:
    work()
    batch = overdue([Call(tasks.nothing)] * 10)
    later = schedule(tasks.nothing, at=START)()
    redis_server.flush()

    work()

    assert assert_counters_equal_rows(batch).status == "succeeded"
    assert redis_server.client.zscore("{test}:due:default", later.pk.hex)


def test_single_entries_that_redis_lost_are_found_when_they_are_overdue(
    redis_server: RedisServer,
) -> None:
    with RunningWorker():
        wait_until(lambda: redis_server.client.get("{test}:filled"))
        row = schedule(tasks.add, after=0.6)(1, 2)
        redis_server.client.delete("{test}:due:default")
        assert row.wait(20) == 3


# --- signals ---


def test_the_end_of_a_batch_is_told_once_however_it_ends(work: Work) -> None:
    told: list[tuple[int, str]] = []

    def hear(batch_id: int, status: str, **_: Any) -> None:
        told.append((batch_id, status))

    batch_finished.connect(hear)
    try:
        good = overdue([Call(tasks.nothing)] * 3)
        missed = overdue([Call(tasks.nothing)] * 3, expires=1)
        empty = Agenda().scatter(over=LONG_AGO)
        work()
    finally:
        batch_finished.disconnect(hear)

    wanted = [(good.pk, "succeeded"), (missed.pk, "failed"), (empty.pk, "succeeded")]
    assert sorted(told) == sorted(wanted)


def test_signals_carry_the_row_that_they_are_about(work: Work) -> None:
    told: list[tuple[str, Any, str]] = []
    heard: list[tuple[Any, Any]] = []
    for name in ("execution_started", "execution_retried", "execution_finished", "batch_finished"):

        def hear(name: str = name, **about: Any) -> None:
            row = about.get("execution") or about["batch"]
            told.append((name, row, row.status))

        signal = getattr(signals, name)
        signal.connect(hear)
        heard.append((signal, hear))
    try:
        batch = overdue([Call(tasks.add, (1, 2))])
        work()
        row = schedule(tasks.fail_and_wait)("/dev/null")
        work()
    finally:
        for signal, hear in heard:
            signal.disconnect(hear)

    member = batch.executions.get()
    assert sorted(told, key=lambda one: one[0]) == [
        ("batch_finished", batch, "succeeded"),
        ("execution_finished", member, "succeeded"),
        ("execution_retried", row, "scheduled"),
        ("execution_started", member, "running"),
        ("execution_started", row, "running"),
    ]


def test_listeners_that_fail_change_nothing(work: Work) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    execution_finished.connect(broken)
    try:
        row = schedule(tasks.add)(1, 2)
        work()
    finally:
        execution_finished.disconnect(broken)

    assert row.wait(1) == 3


# --- options ---


def test_a_burst_ends_when_nothing_is_due_and_leaves_what_is_later(work: Work) -> None:
    due, later = schedule(tasks.nothing)(), schedule(tasks.nothing, at=START)()

    assert work() == 0

    due.refresh_from_db()
    later.refresh_from_db()
    assert (due.status, later.status) == ("succeeded", "scheduled")
    assert Worker.objects.get().status == "stopped"


def test_a_burst_runs_what_its_own_bodies_schedule(work: Work, ledger: str) -> None:
    schedule(tasks.schedule_more)(ledger)

    work()

    assert tasks.lines(ledger) == ["child"]


def test_a_worker_serves_only_its_queues(work: Work) -> None:
    mail, plain = schedule(tasks.mail)(1), schedule(tasks.plain)(1)

    work("mail")
    mail.refresh_from_db()
    plain.refresh_from_db()
    assert (mail.status, plain.status) == ("succeeded", "scheduled")

    work(excluded=("default",))
    plain.refresh_from_db()
    assert plain.status == "scheduled"

    work()
    plain.refresh_from_db()
    assert plain.status == "succeeded"


def test_max_tasks_is_exact(work: Work) -> None:
    rows = schedule_many([Call(tasks.nothing)] * 20)

    assert work(max_tasks=7, concurrency=8) == 0

    assert Execution.objects.filter(status="succeeded").count() == 7
    assert Execution.objects.filter(status="scheduled").count() == len(rows) - 7


def test_a_thousand_are_run_once_each_and_counted_exactly(work: Work) -> None:
    batch = overdue([Call(tasks.fail_if, (n % 10 == 0,)) for n in range(1000)])

    work(concurrency=8)

    batch = assert_counters_equal_rows(batch)
    assert (batch.succeeded, batch.failed, batch.status) == (900, 100, "partly_failed")
    assert set(batch.executions.values_list("attempts", flat=True)) == {1}
    assert batch.describe() == "900 succeeded, 100 failed of 1000"
