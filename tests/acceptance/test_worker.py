"""The worker as a process: its options, and what it runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import now
from django_agenda.models import Execution, Worker
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_all_ended, assert_counters_equal_rows, assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    assert_sound()


def test_a_burst_runs_everything_that_is_due_and_ends_with_0(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    ledger = f"{tmp_path}/ledger"
    calls = [
        *[Call(tasks.add, (n, 1)) for n in range(20)],
        *[Call(tasks.add_async, (n, 1)) for n in range(10)],
        Call(tasks.count_users_async),
        Call(tasks.fail, ("on purpose",)),
        Call(tasks.loop_forever),
        Call(tasks.sleep_forever_async),
        Call("tests.tasks.plain", (5,)),
        Call(tasks.raise_hostile, ("exit",)),
        Call(tasks.raise_hostile_async, ("interrupt",)),
    ]
    batch = Agenda(calls).scatter(
        start=now() - timedelta(minutes=1),
        over=timedelta(seconds=1),
        on_complete=tasks.note_batch,
        on_failure=tasks.note_batch,
        on_success=tasks.note_batch,
    )
    missed = Agenda([Call(tasks.note, (ledger,))]).scatter(
        start=now() - timedelta(minutes=1), over=timedelta(seconds=1), expires=5
    )
    later = schedule(tasks.nothing, after=3600)()

    worker = start_worker("--burst", "--concurrency", "4")

    assert worker.end() == 0
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.succeeded, batch.failed) == ("partly_failed", 32, 5)
    assert [row.return_value for row in batch.executions.all()[:20]] == list(range(1, 21))
    errors = batch.executions.filter(status="failed").values_list("error_class", flat=True)
    assert sorted(errors) == [
        "KeyboardInterrupt",
        "SystemExit",
        "TimeoutError",
        "TimeoutError",
        "tests.tasks.Refusal",
    ]
    assert batch.callbacks.filter(status="succeeded").count() == 2
    assert assert_counters_equal_rows(missed).status == "failed"
    assert tasks.lines(ledger) == []
    later.refresh_from_db()
    assert later.status == "scheduled"
    row = Worker.objects.get()
    assert (row.name, row.status, row.concurrency) == (worker.name, "stopped", 4)
    assert set(batch.executions.values_list("worker", flat=True)) == {worker.name}


def test_retries_are_tried_again_after_their_backoff(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    one, two = f"{tmp_path}/one", f"{tmp_path}/two"
    batch = Agenda([Call(tasks.fail_thrice, (one,)), Call(tasks.succeed_at, (two, 3))]).scatter(
        start=now(), over=timedelta(microseconds=1)
    )

    assert start_worker("--max-tasks", "6").end() == 0

    assert [row.status for row in batch.executions.all()] == ["failed", "succeeded"]
    assert [row.attempts for row in batch.executions.all()] == [3, 3]
    assert (len(tasks.lines(one)), len(tasks.lines(two))) == (3, 3)
    assert_counters_equal_rows(batch)
    assert_all_ended()


def test_queues_can_be_named_and_excluded(start_worker: StartWorker) -> None:
    mail, plain = schedule(tasks.mail)(1), schedule(tasks.plain)(1)

    named = start_worker("--burst", "--queue-name", "mail,other")
    rest = start_worker("--burst", "--exclude-queues", "mail")

    assert (named.end(), rest.end()) == (0, 0)
    mail.refresh_from_db()
    plain.refresh_from_db()
    assert (mail.status, mail.worker) == ("succeeded", named.name)
    assert (plain.status, plain.worker) == ("succeeded", rest.name)


def test_max_tasks_is_exact(start_worker: StartWorker) -> None:
    Agenda([Call(tasks.nothing)] * 20).scatter(start=now(), over=timedelta(microseconds=1))

    assert start_worker("--max-tasks", "7").end() == 0

    assert Execution.objects.filter(status="succeeded").count() == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ("--concurrency", "0"),
        ("--concurrency", "many"),
        ("--max-tasks", "-1"),
        ("--shutdown-timeout", "soon"),
        ("--shutdown-timeout", "nan"),
        ("--queue-name", "No Such"),
        ("--exclude-queues", "no spaces"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_with_a_sentence(arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=arguments[1].split()[0]):
        call_command("run_agenda_worker", "--burst", *arguments)


def test_what_one_worker_does_not_know_another_adopts_and_os_system_nobody_runs(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    row, evil = schedule(tasks.plain)(7), schedule(tasks.echo)(f"touch {tmp_path}/proof")
    Execution.objects.filter(pk=row.pk).update(task_name="elsewhere.tasks.only_here")
    Execution.objects.filter(pk=evil.pk).update(task_name="os.system")

    assert start_worker("--burst").end() == 0
    row.refresh_from_db()
    assert (row.status, row.held_by, row.attempts) == ("scheduled", "unknown task", 0)
    assert start_worker("--burst", environment={"AGENDA_TEST_KNOWS_MORE": "1"}).end() == 0

    row.refresh_from_db()
    evil.refresh_from_db()
    assert (row.status, row.return_value, row.attempts) == ("succeeded", 7, 1)
    assert (evil.status, evil.held_by, evil.attempts) == ("scheduled", "unknown task", 0)
    assert not (tmp_path / "proof").exists()


def test_two_workers_share_the_work_and_run_nothing_twice(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    ledger = f"{tmp_path}/ledger"
    calls = [Call(tasks.note, (ledger, str(n))) for n in range(300)]
    batch = Agenda(calls).scatter(start=now(), over=timedelta(microseconds=1))

    workers = [start_worker("--burst"), start_worker("--burst")]

    assert [worker.end() for worker in workers] == [0, 0]
    assert sorted(map(int, tasks.lines(ledger))) == list(range(300))
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_nothing_runs_before_its_moment(start_worker: StartWorker, tmp_path: Path) -> None:
    ledger = f"{tmp_path}/ledger"
    worker = start_worker("--max-tasks", "20")
    worker.wait_until_active()

    batch = Agenda([Call(tasks.note_time, (ledger,))] * 20).scatter(
        start=now() + timedelta(seconds=0.3), over=timedelta(seconds=0.5)
    )

    assert worker.end() == 0
    due = [row.due_at.timestamp() for row in batch.executions.all()]
    ran = sorted(map(float, tasks.lines(ledger)))
    assert all(moment >= planned for moment, planned in zip(ran, due, strict=True))
    assert max(a - b for a, b in zip(ran, due, strict=True)) < 10


def test_a_worker_shows_that_it_lives_and_what_it_has_done(start_worker: StartWorker) -> None:
    worker = start_worker()
    worker.wait_until_active()
    schedule(tasks.nothing)()
    first = Worker.objects.get().beat_at

    wait_until(lambda: Worker.objects.get().beat_at > first and Worker.objects.get().succeeded == 1)
