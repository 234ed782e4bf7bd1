"""Redis, rows and counts are made to agree, and what differed is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from django_agenda import Agenda, schedule
from django_agenda.broker import broker
from django_agenda.broker.entry import Entry
from django_agenda.clock import now, unix_ms
from django_agenda.models import Batch, Execution
from django_agenda.scheduling import agree
from django_agenda.scheduling.repair import Report, reconcile
from tests import tasks
from tests.conftest import RedisServer
from tests.factories import BatchFactory
from tests.integration.conftest import RunningWorker
from tests.waiting import wait_until

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quick_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agree, "SECOND_LOOK", 0.01)


def scattered(count: int = 10, **options: Any) -> Batch:
    agenda = Agenda()
    for number in range(count):
        agenda.add(tasks.nothing)(number)
    return agenda.scatter(over=HOUR, start=now() + HOUR, **options)


def command(*options: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command("agenda_reconcile", *options, stdout=out, stderr=out)
    except SystemExit as end:
        code = int(str(end.code))
    return code, out.getvalue().strip()


def drifted(batch: Batch, **counts: int) -> None:
    Batch.objects.filter(pk=batch.pk).update(**counts)


def test_what_agrees_is_left_alone() -> None:
    batch = scattered()

    code, said = command()

    assert (code, said) == (0, "Redis, rows and the counts of 1 batches agree.")
    version = batch.version
    batch.refresh_from_db()
    assert batch.version == version


def test_what_redis_lost_is_enqueued(redis_server: RedisServer) -> None:
    scattered()
    redis_server.client.delete("{test}:due:default")

    assert reconcile("default", repair=False).missing == 10
    assert reconcile("default").missing == 10
    assert reconcile("default").is_clean


def test_what_redis_has_at_a_wrong_moment_is_moved() -> None:
    execution = schedule(tasks.nothing, at=now() + HOUR)()
    broker.add([Entry(execution.pk.hex, "default", unix_ms() + 10_000, 0)])

    assert reconcile("default").missing == 1
    assert reconcile("default").is_clean


def test_what_redis_has_for_nobody_is_taken_out(redis_server: RedisServer) -> None:
    execution = schedule(tasks.nothing, at=now() + HOUR)()
    due = unix_ms() + 10_000_000
    broker.add([Entry("0" * 31 + "1", "default", due, 0), Entry(execution.pk.hex, "mail", due, 0)])

    assert reconcile("default", repair=False).strangers == 2
    assert reconcile("default").strangers == 2
    assert broker.sizes() == {"default": 1, "mail": 0}


def test_a_batch_that_was_never_told_is_told(redis_server: RedisServer) -> None:
    batch = scattered()
    redis_server.flush()
    drifted(batch, told_until=4, enqueued=4)

    report = reconcile("default")

    batch.refresh_from_db()
    assert report.never_told == 1
    assert (batch.told_until, batch.enqueued) == (10, 10)
    assert broker.sizes() == {"default": 10}


def test_wrong_counts_are_put_right_and_told() -> None:
    batch = scattered()
    drifted(batch, scheduled=7, running=3)

    code, said = command("--dry-run")
    assert code == 1
    assert f"batch {batch.pk}: scheduled +3, running -3" in said

    code, said = command()
    batch.refresh_from_db()
    assert code == 0
    assert said.startswith("repaired  1  batches whose counts differed")
    assert (batch.scheduled, batch.running) == (10, 0)


def test_a_batch_that_has_ended_unnoticed_is_closed_and_calls_back() -> None:
    batch = scattered(3, on_complete=tasks.note_batch)
    Execution.objects.filter(batch=batch).update(
        status="succeeded", finished_at=now(), live_key=None
    )

    report = reconcile("default")

    batch.refresh_from_db()
    assert batch.status == "succeeded"
    assert batch.finished_at is not None
    assert report.strangers == 3
    assert Execution.objects.filter(callback_of=batch).count() == 1


def test_rows_that_somebody_deleted_do_not_keep_a_batch_open() -> None:
    batch = scattered(5)
    rows = Execution.objects.filter(batch=batch)
    rows.filter(position__lt=2).delete()

    reconcile("default")

    batch.refresh_from_db()
    assert (batch.total, batch.scheduled) == (3, 3)
    assert reconcile("default").is_clean


@pytest.mark.usefixtures("_unsound")
def test_deleted_rows_that_had_ended_are_still_counted() -> None:
    batch = BatchFactory.create(total=5, succeeded=5, told_until=5)

    assert reconcile("default").is_clean
    batch.refresh_from_db()
    assert batch.succeeded == 5


@pytest.fixture
def _unsound(request: pytest.FixtureRequest) -> Any:
    """Leave no batch behind that has counts and no rows."""
    yield
    Batch.objects.all().delete()


def test_a_running_worker_is_no_drift(work: Callable[..., int]) -> None:
    agenda = Agenda()
    for number in range(30):
        agenda.add(tasks.nothing)(number)
    agenda.scatter(over=timedelta(milliseconds=1))
    work()

    assert reconcile("default", repair=False).is_clean


def test_refused_and_expired_ones_are_seen_to(redis_server: RedisServer) -> None:
    refused = schedule(tasks.nothing, at=now() + HOUR)()
    Execution.objects.filter(pk=refused.pk).update(status="pending")
    expired = schedule(tasks.nothing, at=now() - HOUR)()
    Execution.objects.filter(pk=expired.pk).update(expires_at=now() - timedelta(minutes=1))

    found = reconcile("default", repair=False)
    done = reconcile("default")

    assert (found.refused, found.expired) == (done.refused, done.expired) == (1, 1)
    refused.refresh_from_db()
    expired.refresh_from_db()
    assert (refused.status, expired.status) == ("scheduled", "missed")


def test_without_redis_it_says_so(redis_server: RedisServer) -> None:
    redis_server.kill()

    code, said = command()

    assert code == 2
    assert said.startswith("Redis does not answer: ")


def test_json_names_everything() -> None:
    scattered(2)

    code, said = command("--json")

    assert code == 0
    names = set(Report.__dataclass_fields__) | {"repaired"}
    assert set(json.loads(said)) == names


def test_beside_a_busy_worker_nothing_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agree, "SECOND_LOOK", 2.0)
    reports: list[Report] = []
    agenda = Agenda()
    for number in range(400):
        agenda.add(tasks.nothing)(number)

    with RunningWorker():
        # A refill may put back, for a moment, what is popped meanwhile.
        wait_until(broker.is_filled)
        batch = agenda.scatter(over=timedelta(seconds=2))
        while Batch.objects.filter(pk=batch.pk, finished_at=None).exists():
            reports.append(reconcile("default"))

    assert reports
    assert [one for one in reports if not one.is_clean] == []
