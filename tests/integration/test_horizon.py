"""With HORIZON Redis holds only what is due soon; the rest comes in time from the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from django_agenda import Agenda, schedule
from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.scheduling import feed, reconcile
from django_agenda.scheduling.feed import Feed
from django_agenda.scheduling.repair import reconcile as repair
from tests import sound, tasks
from tests.conftest import RedisServer
from tests.integration.conftest import Configure, RunningWorker
from tests.waiting import wait_until

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    """Do without the check that Redis holds every live execution: here it must not."""
    yield
    redis_server.start()
    sound.assert_sound()


@pytest.fixture(autouse=True)
def _an_hour(configure: Configure) -> None:
    configure(HORIZON=HOUR, CHUNK_SIZE=10)


def scattered(count: int = 30, over: timedelta = 3 * HOUR, **options: Any) -> Batch:
    agenda = Agenda()
    for number in range(count):
        agenda.add(tasks.nothing)(number)
    return agenda.scatter(over=over, **options)


def in_redis() -> int:
    return sum(broker.sizes().values())


def within(horizon: timedelta = HOUR) -> int:
    return Execution.objects.filter(status="scheduled", due_at__lte=now() + horizon).count()


def moved_closer(by: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    later = now() + by
    monkeypatch.setattr(feed, "now", lambda: later)
    monkeypatch.setattr("django_agenda.scheduling.enqueue.now", lambda: later)


def test_redis_holds_only_what_is_due_within_the_horizon() -> None:
    scattered()

    assert 0 < in_redis() == within() < 30


def test_the_batch_counts_as_told() -> None:
    batch = scattered()

    assert (batch.status, batch.enqueued, batch.told_until) == ("scheduled", 30, 30)


def test_a_batch_beyond_the_horizon_needs_no_redis(redis_server: RedisServer) -> None:
    redis_server.kill()

    batch = scattered(start=now() + 2 * HOUR)

    assert (batch.status, batch.pending) == ("scheduled", 0)


def test_without_a_horizon_redis_holds_everything(configure: Configure) -> None:
    configure(HORIZON=None)

    scattered()

    assert in_redis() == 30


def test_a_single_execution_beyond_it_waits_in_the_database() -> None:
    schedule(tasks.nothing, after=2 * HOUR)()
    assert in_redis() == 0

    schedule(tasks.nothing, after=HOUR / 2)()
    assert in_redis() == 1


def test_the_feed_enqueues_what_has_come_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    scattered()
    feeding = Feed("default")
    feeding.enqueue()
    before = in_redis()

    moved_closer(HOUR, monkeypatch)
    fed = feeding.enqueue()

    assert fed > 0
    assert in_redis() == before + fed == within(2 * HOUR)


def test_the_feed_does_nothing_until_a_share_of_the_horizon_has_passed() -> None:
    scattered()
    feeding = Feed("default")
    feeding.enqueue()
    schedule(tasks.nothing, after=timedelta(minutes=61))()

    assert feeding.enqueue() == 0


def test_a_long_feed_goes_on_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "CHUNKS_A_LOOK", 1)
    scattered(35, over=timedelta(seconds=1), start=now() + 2 * HOUR)
    feeding = Feed("default")
    moved_closer(1.5 * HOUR, monkeypatch)

    looks = 0
    while in_redis() < 35:
        feeding.enqueue()
        looks += 1
        assert looks < 10

    assert looks == 4


def test_a_feed_begins_with_what_is_overdue(redis_server: RedisServer) -> None:
    schedule(tasks.nothing, at=now() - HOUR)()
    redis_server.flush()

    assert Feed("default").enqueue() == 1


def test_a_refill_stops_at_the_horizon(redis_server: RedisServer) -> None:
    scattered()
    redis_server.flush()

    reconcile.refill("default")

    assert in_redis() == within()


def test_what_lies_beyond_it_is_not_missing() -> None:
    scattered()

    assert repair("default").is_clean


def test_everything_runs_in_time(configure: Configure) -> None:
    configure(HORIZON=0.5)
    batch = scattered(20, over=timedelta(seconds=2))
    assert in_redis() < 20

    with RunningWorker():
        wait_until(lambda: not Batch.objects.filter(pk=batch.pk, finished_at=None), 30)

    batch.refresh_from_db()
    assert batch.succeeded == 20
    assert not Execution.objects.filter(batch=batch, lag_ms__gt=20_000).exists()


@pytest.fixture
def pushed_out(configure: Callable[..., None]) -> Execution:
    configure(HORIZON=None)
    execution = schedule(tasks.nothing, after=2 * HOUR)()
    configure(HORIZON=HOUR)
    return execution


def test_what_redis_was_told_of_before_does_no_harm(pushed_out: Execution) -> None:
    assert in_redis() == 1
    assert repair("default").is_clean
