"""Redis is gone: workers go on from the database, and return by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from django_agenda import Agenda, Call, pause_queue, resume_queue, schedule
from django_agenda.broker import connection as broker_connection
from django_agenda.clock import now
from django_agenda.models import Execution
from django_agenda.signals import trouble_began, trouble_ended
from django_agenda.worker.queues import Queues
from django_agenda.worker.without_redis import Sight, database_now, rest
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows
from tests.waiting import wait_until

from .conftest import RunningWorker, Work

DEFAULT = "default"
SOON = timedelta(microseconds=1)


@pytest.fixture
def troubles() -> Iterator[list[str]]:
    heard: list[str] = []

    def began(*, part: str, **_: Any) -> None:
        heard.append(f"{part} down")

    def ended(*, part: str, **_: Any) -> None:
        heard.append(f"{part} up")

    trouble_began.connect(began)
    trouble_ended.connect(ended)
    yield heard
    trouble_began.disconnect(began)
    trouble_ended.disconnect(ended)


def all_succeeded(count: int) -> bool:
    return Execution.objects.filter(status="succeeded").count() == count


def test_what_is_due_runs_and_it_is_said_once(
    redis_server: RedisServer, troubles: list[str], ledger: str
) -> None:
    redis_server.kill()
    calls = [Call(tasks.note, (ledger, str(n))) for n in range(60)]
    batch = Agenda(calls).scatter(start=now(), over=SOON, on_complete=tasks.note_batch)
    assert batch.status == "partly_scheduled"

    with RunningWorker():
        wait_until(lambda: all_succeeded(61), 20)

    assert Counter(tasks.lines(ledger)) == Counter(map(str, range(60)))
    assert assert_counters_equal_rows(batch).status == "succeeded"
    assert troubles.count("broker down") == 1
    assert "broker up" not in troubles


def test_two_workers_run_each_once(redis_server: RedisServer, ledger: str) -> None:
    redis_server.kill()
    calls = [Call(tasks.note, (ledger, str(n))) for n in range(200)]
    batch = Agenda(calls).scatter(start=now(), over=SOON)

    with RunningWorker(worker_id="a"), RunningWorker(worker_id="b"):
        wait_until(lambda: all_succeeded(200), 20)

    assert Counter(tasks.lines(ledger)) == Counter(map(str, range(200)))
    assert {row.attempts for row in batch.executions.all()} == {1}
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_what_comes_due_meanwhile_starts_soon(redis_server: RedisServer) -> None:
    redis_server.kill()
    with RunningWorker():
        rows = [schedule(tasks.plain, after=number * 0.2)(number) for number in range(5)]
        wait_until(lambda: all_succeeded(5), 20)

    for row in rows:
        row.refresh_from_db()
        assert row.lag_ms is not None
        # A look a second, on a machine that may have other things to do.
        assert row.lag_ms < 4000
        assert row.started_at is not None
        assert row.started_at >= row.due_at


def test_retries_and_callbacks_run_as_well(redis_server: RedisServer, ledger: str) -> None:
    redis_server.kill()
    schedule(tasks.succeed_at)(ledger, 3)

    with RunningWorker():
        wait_until(lambda: all_succeeded(1), 20)

    assert len(tasks.lines(ledger)) == 3


def test_the_worker_returns_when_redis_does(
    redis_server: RedisServer,
    troubles: list[str],
    ledger: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []
    pick = Sight.pick

    def counted(sight: Sight, limit: int) -> list[str]:
        looks.append(limit)
        return pick(sight, limit)

    monkeypatch.setattr(Sight, "pick", counted)
    with RunningWorker() as running:
        wait_until(running.is_idle, 20)
        redis_server.kill()
        schedule(tasks.note)(ledger, "without")
        wait_until(lambda: tasks.lines(ledger) == ["without"], 20)

        redis_server.start()
        wait_until(lambda: "broker up" in troubles and running.is_idle(), 20)
        before = len(looks)
        rows = [schedule(tasks.note, after=0.1)(ledger, f"with {n}") for n in range(3)]
        for row in rows:
            row.wait(20)

    assert troubles == ["broker down", "broker up"]
    assert len(looks) == before > 0, "It still looks into the database."


def test_a_redis_that_hangs_does_not_hold_the_worker_up(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    monkeypatch.setattr(broker_connection, "SOCKET_TIMEOUT", 0.3)
    broker_connection.forget_clients()
    redis_server.freeze()
    row = schedule(tasks.fail_thrice)(ledger)

    with RunningWorker():
        wait_until(lambda: len(tasks.lines(ledger)) == 3, 20)
        wait_until(lambda: Execution.objects.filter(status="failed").exists(), 20)
        redis_server.thaw()

    row.refresh_from_db()
    assert row.attempts == 3


def test_one_that_is_to_end_when_nothing_is_due_ends(redis_server: RedisServer, work: Work) -> None:
    redis_server.kill()
    row = schedule(tasks.add)(1, 2)

    assert work() == 0

    row.refresh_from_db()
    assert row.return_value == 3


def test_only_the_queues_that_are_served(redis_server: RedisServer, work: Work) -> None:
    redis_server.kill()
    mail, other = schedule(tasks.mail)(1), schedule(tasks.plain)(2)

    work("mail")

    mail.refresh_from_db()
    other.refresh_from_db()
    assert (mail.status, other.status) == ("succeeded", "pending")
    other.delete()


def test_a_paused_queue_is_left_alone_and_holds_up_no_other(redis_server: RedisServer) -> None:
    redis_server.kill()
    pause_queue("mail")
    held = [schedule(tasks.mail)(number) for number in range(20)]
    with RunningWorker() as running:
        assert schedule(tasks.add)(1, 2).wait(20) == 3
        wait_until(lambda: not running.process._hands.held)

    assert set(Execution.objects.filter(queue_name="mail").values_list("status")) == {("pending",)}
    resume_queue("mail")
    assert len(held) == 20
    Execution.objects.all().delete()


# --- what is seen ---


def pick(limit: int, sight: Sight | None = None) -> list[str]:
    with transaction.atomic():
        return (sight or Sight(DEFAULT, Queues(["*"]))).pick(limit)


def test_the_most_urgent_comes_first_and_then_the_longest_due(redis_server: RedisServer) -> None:
    ago = {n: now() - timedelta(minutes=n) for n in (1, 2, 3)}
    young, old = schedule(tasks.plain, at=ago[1])(), schedule(tasks.plain, at=ago[3])()
    urgent = schedule(tasks.urgent, at=ago[2])()

    assert pick(5) == [urgent.pk.hex, old.pk.hex, young.pk.hex]
    assert pick(2) == [urgent.pk.hex, old.pk.hex]
    Execution.objects.all().delete()


def test_what_must_not_run_is_not_seen(redis_server: RedisServer) -> None:
    held, ended, expired = (schedule(tasks.plain)() for _ in range(3))
    schedule(tasks.plain, after=60)()
    Execution.objects.filter(pk=held.pk).update(held_by="pause")
    Execution.objects.filter(pk=ended.pk).update(status="cancelled")
    Execution.objects.filter(pk=expired.pk).update(expires_at=now() - timedelta(seconds=1))

    assert pick(9) == []
    Execution.objects.all().delete()
    redis_server.flush()


def test_a_sight_is_used_up_before_all_is_sorted_again(
    django_assert_num_queries: Any,
) -> None:
    for _ in range(5):
        schedule(tasks.plain)()
    sight = Sight(DEFAULT, Queues(["*"]))
    with transaction.atomic():
        first = sight.pick(2)
        Execution.objects.filter(pk__in=first).update(status="cancelled")
        with django_assert_num_queries(1):
            second = sight.pick(3)

    assert len({*first, *second}) == 5
    Execution.objects.all().delete()


def test_the_clock_is_the_databases() -> None:
    assert abs(database_now(DEFAULT) - now()) < timedelta(seconds=2)


def test_a_look_is_calm_when_there_is_little_and_at_once_when_there_is_more() -> None:
    assert rest(8, 8) == 0.0
    assert all(0.2 <= rest(3, 8) <= 1.0 for _ in range(100))
