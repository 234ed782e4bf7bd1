"""A paused queue: its rows stay as they are, and nothing of it is claimed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction

from django_agenda import Agenda, Call, pause_queue, resume_queue, schedule
from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.models import Execution, PausedQueue, Worker
from django_agenda.scheduling import reconcile
from django_agenda.scheduling.miss import miss
from django_agenda.worker.record import record
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import ids_in_redis
from tests.waiting import wait_until

from .conftest import RunningWorker, Work
from .control import DEFAULT, HOUR, START, outcome, take


@pytest.fixture(autouse=True)
def _all_resumed(_everything_holds: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    redis_server.start()
    for queue in PausedQueue.objects.all():
        resume_queue(queue.name)


def test_nothing_of_it_runs_and_everything_else_does(work: Work) -> None:
    assert pause_queue("mail") is True
    held, other = schedule(tasks.mail)(1), schedule(tasks.add)(1, 2)

    work()

    assert other.wait(1) == 3
    held.refresh_from_db()
    assert (held.status, held.held_by, held.attempts) == ("scheduled", "", 0)
    assert pause_queue("mail") is False
    assert PausedQueue.objects.get().name == "mail"
    assert broker.paused_queues() == {"mail"}


def test_what_is_overdue_runs_at_once_when_it_is_resumed(work: Work) -> None:
    pause_queue("mail")
    row = schedule(tasks.mail)(1)
    with RunningWorker() as running:
        wait_until(running.is_idle)
        assert resume_queue("mail") is True
        assert row.wait(20) == 1

    assert resume_queue("mail") is False
    assert broker.paused_queues() == set()
    assert not PausedQueue.objects.exists()


def test_what_is_overdue_can_be_spread(redis_server: RedisServer) -> None:
    pause_queue("mail")
    for n in range(3):
        schedule(tasks.mail, at=now() - timedelta(seconds=n))(n)
    later = schedule(tasks.mail, at=START)(9)
    began = now()

    resume_queue("mail", over=2 * HOUR)

    rows = Execution.objects.order_by("created_at")
    passed = [round((row.due_at - began) / HOUR, 3) for row in rows[:3]]
    assert passed == [2, 1, 0]
    later.refresh_from_db()
    assert later.due_at == START
    Execution.objects.filter(due_at__lte=now()).cancel()


def test_a_claim_looks_at_the_database_whatever_redis_says(
    redis_server: RedisServer, living_worker: Worker
) -> None:
    pause_queue("mail")
    row, other = schedule(tasks.mail)(1), schedule(tasks.plain)(1)
    redis_server.flush()

    [one] = take(living_worker, row, other)

    assert one.id == other.pk.hex
    record(DEFAULT, living_worker, [outcome(one)])


def test_a_flushed_redis_is_told_again(redis_server: RedisServer) -> None:
    pause_queue("mail")
    row = schedule(tasks.mail, at=START)(1)
    redis_server.flush()

    reconcile.refill(DEFAULT)

    assert broker.paused_queues() == {"mail"}
    assert ids_in_redis(redis_server.client) == {row.pk}
    broker.resume(["mail"])
    broker.pause(["other"])
    assert reconcile.tell_paused(DEFAULT) == 2
    assert broker.paused_queues() == {"mail"}
    assert reconcile.tell_paused(DEFAULT) == 0


def test_redis_that_is_down_does_no_harm(redis_server: RedisServer, work: Work) -> None:
    redis_server.kill()
    assert pause_queue("mail") is True
    row = schedule(tasks.mail)(1)
    redis_server.start()

    work()
    row.refresh_from_db()
    assert row.attempts == 0
    redis_server.kill()
    assert resume_queue("mail") is True
    redis_server.start()

    with RunningWorker():
        assert row.wait(20) == 1


@pytest.mark.parametrize("was_paused", [True, False])
def test_who_tells_the_broker_heeds_what_was_changed_since_it_looked(
    monkeypatch: pytest.MonkeyPatch, was_paused: bool
) -> None:
    change, other = (resume_queue, pause_queue) if was_paused else (pause_queue, resume_queue)
    pause_queue("mail")
    if not was_paused:
        resume_queue("mail")
    ask, changes = broker.paused_queues, [change]

    def paused_queues() -> set[str]:
        if changes:
            changes.pop()("mail")
        return ask()

    monkeypatch.setattr(broker, "paused_queues", paused_queues)

    assert reconcile.tell_paused(DEFAULT) > 0

    assert ask() == set(PausedQueue.objects.values_list("name", flat=True))
    assert bool(ask()) is not was_paused
    other("mail")
    resume_queue("mail")


def test_what_redis_lost_meanwhile_is_enqueued_when_it_is_resumed(
    redis_server: RedisServer, work: Work
) -> None:
    row = schedule(tasks.mail)(1)
    pause_queue("mail")
    redis_server.client.delete("{test}:due:mail")

    resume_queue("mail")

    assert ids_in_redis(redis_server.client) == {row.pk}
    work()
    assert row.wait(1) == 1


def test_the_overdue_scan_leaves_a_paused_queue_alone(redis_server: RedisServer) -> None:
    schedule(tasks.mail, at=now() - HOUR / 2)(1)
    pause_queue("mail")
    redis_server.client.delete("{test}:due:mail")
    scan = reconcile.Overdue(DEFAULT)

    assert [scan.enqueue(), scan.enqueue()] == [0, 0]


def test_nothing_expires_in_a_paused_queue(work: Work) -> None:
    batch = Agenda([Call(tasks.perishable)]).scatter(
        start=now() - HOUR, over=timedelta(seconds=1), queue_name="mail"
    )
    pause_queue("mail")

    assert reconcile.miss_expired(DEFAULT) == 0
    assert miss(DEFAULT, [batch.executions.get().pk.hex], now()) == 0

    resume_queue("mail")
    work()
    assert batch.executions.get().status == "missed"


@pytest.mark.parametrize("name", ["", "Mail", "a b", "x" * 65, None, "ä"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="queue name"):
        pause_queue(name)
    with pytest.raises(ValueError, match="queue name"):
        resume_queue(name)


@pytest.mark.parametrize("over", [timedelta(0), -HOUR, timedelta.max])
def test_a_span_that_cannot_be_is_refused(over: timedelta) -> None:
    pause_queue("mail")

    with pytest.raises(ValueError, match=r"over|9999"):
        resume_queue("mail", over=over)

    assert PausedQueue.objects.exists()


def test_a_pause_that_is_rolled_back_changes_nothing() -> None:
    with transaction.atomic():
        pause_queue("mail")
        transaction.set_rollback(True)

    assert broker.paused_queues() == set()
    assert not PausedQueue.objects.exists()


def test_nothing_starts_once_the_pause_has_returned(ledger: str) -> None:
    rows = [Call(tasks.note, (ledger,)) for _ in range(400)]
    batch = Agenda(rows).scatter(start=now() - HOUR, over=timedelta(seconds=1), queue_name="mail")
    with RunningWorker(concurrency=2) as running:
        wait_until(lambda: len(tasks.lines(ledger)) > 20)
        pause_queue("mail")
        holdings = running.process._holdings
        with holdings.claiming:
            pass  # a claim that had begun before the pause has ended, and is held
        wait_until(lambda: not holdings._claims)
        done = len(tasks.lines(ledger))
        schedule(tasks.nothing)().wait(20)
        assert len(tasks.lines(ledger)) == done
        resume_queue("mail")
        batch.wait(10)

    assert len(tasks.lines(ledger)) == 400
