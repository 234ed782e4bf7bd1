"""The exit code of agenda_health: 0 well, 1 behind, 2 broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import get_language, override

from django_agenda import schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.scheduling import health
from tests import tasks
from tests.conftest import RedisServer
from tests.factories import BatchFactory, WorkerFactory

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    """Do without the check: these batches have counts and no rows."""
    yield
    redis_server.start()


def examined(*options: str) -> tuple[int, dict[str, Any]]:
    out, code = StringIO(), 0
    try:
        call_command("agenda_health", "--json", *options, stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    found = json.loads(out.getvalue())
    assert found["level"] == code
    return code, {name: one["level"] for name, one in found["checks"].items()}


def test_all_is_well() -> None:
    WorkerFactory.create()
    schedule(tasks.nothing, after=HOUR)()

    code, checks = examined()

    assert code == 0
    assert checks == dict.fromkeys(
        ("database", "redis", "migrations", "workers", "lateness", "pending"), 0
    )


def test_it_is_said_in_columns() -> None:
    WorkerFactory.create()
    out = StringIO()

    call_command("agenda_health", stdout=out)

    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["database", "well", "answers"]
    assert len({line.index("well") for line in lines}) == 1


@pytest.mark.parametrize(
    "fields",
    [{"status": "stopped"}, {"beat_at": now() - HOUR}, {"status": "draining"}, {"status": "quiet"}],
)
def test_without_a_living_worker_it_is_behind(fields: dict[str, Any]) -> None:
    WorkerFactory.create(**fields)

    assert examined()[0] == 1


def test_a_servers_answer_is_not_enough_when_nothing_gets_done() -> None:
    WorkerFactory.create()
    schedule(tasks.nothing, at=now() - timedelta(minutes=3))()

    code, checks = examined()

    assert (code, checks["lateness"]) == (1, 1)
    assert examined("--max-lateness", "5m")[0] == 0


def test_what_is_held_is_not_late() -> None:
    WorkerFactory.create()
    schedule(tasks.nothing, at=now() - HOUR)()
    Execution.objects.update(held_by="paused")

    assert examined()[0] == 0


def test_a_batch_that_waits_for_redis_for_long_is_a_finding() -> None:
    WorkerFactory.create()
    batch = BatchFactory.create(
        finished_at=None, total=5, pending=5, enqueue_failed_at=now() - timedelta(minutes=1)
    )
    assert examined()[0] == 0

    Batch.objects.filter(pk=batch.pk).update(enqueue_failed_at=now() - HOUR)
    assert examined()[0] == 1
    assert examined("--max-pending", "2h")[0] == 0


def test_a_single_one_that_waits_for_redis_for_long_is_a_finding() -> None:
    WorkerFactory.create()
    schedule(tasks.nothing, after=HOUR)()
    Execution.objects.update(status="pending", created_at=now() - HOUR)

    assert examined()[1]["pending"] == 1


def test_without_redis_it_is_broken_and_the_rest_is_still_said(redis_server: RedisServer) -> None:
    WorkerFactory.create()
    redis_server.kill()

    code, checks = examined()

    assert (code, checks["redis"]) == (2, 2)
    assert checks["workers"] == 0


def test_without_the_database_it_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patched:
        patched.setattr(BaseDatabaseWrapper, "cursor", refuse)
        code, checks = examined()

    assert code == 2
    assert checks == {"database": 2, "redis": 0}


def test_a_migration_that_is_not_applied_is_broken() -> None:
    WorkerFactory.create()
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("django_agenda", "0001_initial")
    try:
        code, checks = examined()
    finally:
        recorder.record_applied("django_agenda", "0001_initial")

    assert (code, checks["migrations"]) == (2, 2)
    assert "workers" not in checks


def test_an_error_in_the_middle_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(using: str) -> None:
        raise OperationalError("gone\naway")

    monkeypatch.setattr(health, "worker_states", refuse)

    code, checks = examined()

    assert (code, checks["workers"]) == (2, 2)


def test_a_limit_needs_a_unit() -> None:
    with pytest.raises(CommandError):
        call_command("agenda_health", "--max-lateness=60")
    with pytest.raises(CommandError):
        call_command("agenda_health", max_lateness=60)


def test_findings_speak_the_language_of_who_asks_and_the_command_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "_", lambda text: f"{text}, in {get_language()}")
    out = StringIO()

    with override("de"):
        found = health.examine("default", health.Limits())
        with pytest.raises(SystemExit):
            call_command("agenda_health", stdout=out)

    assert "nothing is due, in de" in [one.words for one in found]
    assert "nothing is due, in None" in out.getvalue()
