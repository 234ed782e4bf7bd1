"""Workers and servers that die: nothing is lost, and the counts are exact."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import now
from django_agenda.models import Attempt, Execution, Worker
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    assert_sound()


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(tmp_path / "ledger")


def test_what_a_killed_worker_ran_is_rescued_by_another(
    start_worker: StartWorker, ledger: str, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    calls = [Call(tasks.wait_for_file, (ledger, str(end)), key=key) for key in "ab"]
    calls += [Call(tasks.nothing)] * 20
    batch = Agenda(calls).scatter(
        start=now(), over=timedelta(microseconds=1), on_complete=tasks.note_batch
    )
    victim = start_worker("--concurrency", "2")
    wait_until(lambda: len(tasks.lines(ledger)) == 2, 20)

    victim.kill()
    end.touch()
    rescuer = start_worker()

    wait_until(lambda: batch.executions.filter(status="succeeded").count() == 22, 20)
    wait_until(lambda: batch.callbacks.filter(status="succeeded").count() == 1)
    rescuer.send(signal.SIGTERM)
    assert rescuer.end() == 0
    batch = assert_counters_equal_rows(batch)
    assert batch.status == "succeeded"
    lost = Attempt.objects.filter(outcome="lost", execution__key__in="ab")
    assert lost.count() == 2
    assert [row.crashes for row in Execution.objects.filter(key__in="ab")] == [1, 1]
    assert Worker.objects.get(name=victim.name).status == "lost"


@pytest.mark.slow
def test_a_body_that_kills_its_worker_runs_again_or_fails_as_its_task_says(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    once, again = str(tmp_path / "once"), str(tmp_path / "again")
    two = schedule(tasks.end_the_process)(again)
    assert start_worker("--burst").end() == -signal.SIGKILL
    one = schedule(tasks.at_most_once)(once)
    assert start_worker("--burst", "--concurrency", "1").end() == -signal.SIGKILL

    survivor = start_worker()
    wait_until(lambda: not Execution.objects.live().exists(), 20)
    survivor.send(signal.SIGTERM)

    assert survivor.end() == 0
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.status, one.failed_stage, one.attempts) == ("failed", "lost", 1)
    assert (two.status, two.crashes) == ("succeeded", 1)
    assert (tasks.lines(once), tasks.lines(again)) == (["started"], ["started"] * 2)


def test_a_flush_in_the_middle_loses_nothing(
    start_worker: StartWorker, redis_server: RedisServer, ledger: str
) -> None:
    calls = [Call(tasks.note, (ledger, str(n))) for n in range(400)]
    batch = Agenda(calls).scatter(start=now(), over=timedelta(seconds=1.5))
    later = schedule(tasks.nothing, after=3600)()
    worker = start_worker()
    wait_until(lambda: len(tasks.lines(ledger)) > 50, 20, every=0.002)

    redis_server.flush()

    wait_until(lambda: batch.executions.filter(status="succeeded").count() == 400, 20)
    wait_until(lambda: redis_server.client.zscore("{test}:due:default", later.pk.hex))
    worker.send(signal.SIGTERM)
    assert worker.end() == 0
    assert sorted(map(int, tasks.lines(ledger))) == list(range(400))
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_redis_that_is_killed_in_the_middle_loses_nothing(
    start_worker: StartWorker, redis_server: RedisServer, ledger: str
) -> None:
    calls = [Call(tasks.note, (ledger, str(n))) for n in range(300)]
    batch = Agenda(calls).scatter(start=now(), over=timedelta(seconds=1.5))
    worker = start_worker()
    wait_until(lambda: len(tasks.lines(ledger)) > 50, 20, every=0.002)

    redis_server.kill()
    redis_server.start()

    wait_until(lambda: batch.executions.filter(status="succeeded").count() == 300, 30)
    worker.send(signal.SIGTERM)
    assert worker.end() == 0
    assert sorted(map(int, tasks.lines(ledger))) == list(range(300))
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_worker_that_finds_redis_down_says_so_once_works_and_returns_to_it(
    start_worker: StartWorker, redis_server: RedisServer
) -> None:
    redis_server.kill()
    row = schedule(tasks.add)(1, 2)
    worker = start_worker()
    worker.wait_for_output("trouble_began")
    worker.wait_until_active()

    assert row.wait(20) == 3

    redis_server.start()

    worker.wait_for_output("trouble_ended part=broker")
    worker.send(signal.SIGTERM)
    assert worker.end() == 0
    assert worker.output.count("trouble_began part=broker") == 1


def test_a_worker_that_finds_the_database_down_waits_for_it(start_worker: StartWorker) -> None:
    nowhere = {"AGENDA_TEST_DB_HOST": "/nonexistent", "AGENDA_TEST_DB_NAME": "agenda"}
    worker = start_worker(environment=nowhere)

    worker.wait_for_output("trouble_began part=database")

    assert worker.is_running
    worker.send(signal.SIGTERM)
    assert worker.end() == 0


@pytest.mark.slow
def test_redis_that_hangs_does_not_hold_up_the_end_of_a_worker(
    start_worker: StartWorker, redis_server: RedisServer
) -> None:
    worker = start_worker()
    worker.wait_until_active()

    redis_server.freeze()
    worker.send(signal.SIGTERM)

    assert worker.end(15) == 0


@pytest.mark.slow
def test_a_worker_that_was_frozen_past_its_lease_changes_nothing_when_it_wakes(
    start_worker: StartWorker, ledger: str, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    batch = Agenda([Call(tasks.wait_for_file, (ledger, str(end)))]).scatter(
        start=now(), over=timedelta(microseconds=1), on_complete=tasks.note_batch
    )
    frozen = start_worker()
    wait_until(lambda: tasks.lines(ledger), 20)

    frozen.send(signal.SIGSTOP)
    other = start_worker()
    wait_until(lambda: len(tasks.lines(ledger)) == 2, 20)
    end.touch()
    wait_until(lambda: batch.executions.filter(status="succeeded").exists(), 20)
    before = batch.executions.get()
    frozen.send(signal.SIGCONT)
    wait_until(lambda: Worker.objects.filter(name=frozen.name).count() == 2, 20)

    for worker in (frozen, other):
        worker.send(signal.SIGTERM)
        assert worker.end() == 0
    row = batch.executions.get()
    assert (row.worker, row.attempts, row.finished_at) == (other.name, 2, before.finished_at)
    batch = assert_counters_equal_rows(batch)
    assert batch.status == "succeeded"
    assert batch.callbacks.count() == 1
