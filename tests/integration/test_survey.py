"""What agenda_status says is so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_agenda import Agenda, schedule, strike
from django_agenda.clock import now
from django_agenda.management.durations import in_words
from django_agenda.management.tables import aligned
from django_agenda.models import Batch, Execution
from django_agenda.scheduling.survey import survey
from tests import tasks
from tests.conftest import RedisServer
from tests.factories import CALM, Scene, WorkerFactory, flood

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    """Do without the check: these rows have no entries in Redis."""
    yield
    redis_server.thaw()
    redis_server.start()


def status(*options: str) -> str:
    out = StringIO()
    call_command("agenda_status", *options, stdout=out)
    return out.getvalue()


def test_an_empty_project_has_a_status() -> None:
    said = status()

    assert "none unfinished" in said
    assert "No queue was used yet." in said
    assert "No worker is running." in said


def test_strikes_are_said() -> None:
    strike(tasks.add, "a", "==", 7)

    assert "strike      add where a == 7\n" in status()
    assert survey("default").strikes == ["add where a == 7"]


def test_queues_are_counted_in_the_database_and_in_redis() -> None:
    schedule(tasks.nothing, at=now() - timedelta(minutes=3))()
    schedule(tasks.nothing, at=now() + HOUR)()
    schedule(tasks.mail, at=now() + HOUR)()
    Execution.objects.filter(queue_name="mail").update(held_by="paused")

    default, mail = survey("default").queues

    assert (default.name, default.waiting, default.due, default.held) == ("default", 2, 1, 0)
    assert default.in_redis == 2
    assert 179 < (default.oldest_due_s or 0) < 190
    assert (mail.name, mail.waiting, mail.due, mail.held, mail.in_redis) == ("mail", 1, 0, 1, 1)


def test_unfinished_batches_are_counted_by_status() -> None:
    flood(20, scene=Scene(elapsed=0.5, refused=0.0))
    flood(20, scene=Scene(elapsed=0.5, refused=0.5))
    flood(20, scene=Scene(elapsed=1.5, refused=0.0))

    found = survey("default")

    assert found.batches == {"partly_scheduled": 1, "running": 1}
    assert found.pending == 10


def test_workers_are_judged_by_their_heartbeat() -> None:
    WorkerFactory.create(name="alive")
    WorkerFactory.create(name="silent", beat_at=now() - HOUR)
    WorkerFactory.create(name="gone", status="stopped")

    alive, silent = survey("default").workers

    assert (alive.name, alive.is_alive) == ("alive", True)
    assert (silent.name, silent.is_alive) == ("silent", False)
    assert silent.beat_age_s > 3500


def test_lateness_is_that_of_the_last_minutes() -> None:
    flood(500, over=timedelta(minutes=8), scene=CALM)
    flood(100, over=HOUR, moment=now() - HOUR, scene=Scene(elapsed=1.2, refused=0.0))

    late = survey("default").lateness

    assert 180 < late.count < 500
    assert late.p50_ms is not None
    assert late.p95_ms is not None
    assert late.max_ms is not None
    assert 20 < late.p50_ms < late.p95_ms < late.max_ms


def test_lateness_knows_single_executions() -> None:
    moment = now()
    execution = schedule(tasks.nothing)()
    Execution.objects.filter(pk=execution.pk).update(
        status="succeeded", started_at=moment, finished_at=moment, lag_ms=7
    )

    assert survey("default").lateness.max_ms == 7


def test_drift_is_shown(redis_server: RedisServer) -> None:
    agenda = Agenda()
    for number in range(5):
        agenda.add(tasks.nothing)(number)
    batch = agenda.scatter(over=timedelta(seconds=1), start=now() - HOUR)
    redis_server.flush()
    Batch.objects.filter(pk=batch.pk).update(told_until=2, created_at=now() - HOUR)
    schedule(tasks.nothing, after=HOUR)()
    Execution.objects.filter(batch=None).update(status="running", claimed_by=None)

    drift = survey("default").drift

    assert (drift.overdue_missing, drift.untold_batches, drift.orphans) == (5, 1, 1)
    said = status()
    assert "drift: 5 overdue executions that redis does not hold" in said
    assert "drift: 1 batches that redis was not wholly told of" in said


def test_without_redis_the_rest_is_still_shown(redis_server: RedisServer) -> None:
    schedule(tasks.nothing, after=HOUR)()
    redis_server.kill()

    found = survey("default")

    assert found.broker_error
    assert found.drift.overdue_missing is None
    assert [(one.name, one.waiting, one.in_redis) for one in found.queues] == [("default", 1, None)]
    assert found.broker_error.split(":")[0] in status()


def test_the_number_of_statements_does_not_grow() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            survey("default")
        return len(captured)

    flood(10, scene=Scene(elapsed=0.5))
    few = statements()
    flood(500, scene=Scene(elapsed=0.5))
    WorkerFactory.create_batch(10)

    assert statements() <= few + 1


def test_the_json_names_are_stable() -> None:
    schedule(tasks.nothing, after=HOUR)()
    WorkerFactory.create()

    found = json.loads(status("--json"))

    assert set(found) == {
        *("moment", "broker_error", "batches", "pending", "scheduled", "due", "held", "running"),
        "strikes",
        *("redis_memory", "oldest_due_s", "queues", "workers", "drift", "lateness"),
    }
    assert set(found["queues"][0]) == {
        *("name", "waiting", "due", "held", "oldest_due_s", "in_redis", "is_paused")
    }
    assert set(found["workers"][0]) == {
        *("name", "status", "queues", "concurrency", "running", "beat_age_s", "is_alive")
    }
    assert set(found["drift"]) == {"overdue_missing", "untold_batches", "orphans"}
    assert set(found["lateness"]) == {"count", "p50_ms", "p95_ms", "max_ms"}


def test_watch_shows_it_again_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [False, False]

    def wait(self: object, seconds: float) -> bool:
        assert seconds == 0.01
        if not left:
            raise KeyboardInterrupt
        return left.pop()

    monkeypatch.setattr("threading.Event.wait", wait)

    said = status("--json", "--watch", "0.01s")

    assert len(said.splitlines()) == 3


def test_a_worker_that_works_is_seen(work: Callable[..., int]) -> None:
    schedule(tasks.nothing)()
    work()

    found = survey("default")

    assert (found.due, found.running, found.workers) == (0, 0, [])
    assert found.lateness.count == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (119, "119.0 s"),
        (600, "10 m"),
        (7300, "2 h"),
        (864_000, "10 d"),
    ],
)
def test_durations_are_short_words(seconds: float | None, words: str) -> None:
    assert in_words(seconds) == words


def test_columns_stand_under_each_other() -> None:
    assert aligned([("queue", "due"), ("mail", 1234), ("a", None)]) == [
        "queue    due",
        "mail   1,234",
        "a          -",
    ]
