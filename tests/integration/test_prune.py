"""Old rows go, in chunks; what a batch was is still known afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_agenda import Agenda
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import Attempt, Batch, Execution, Worker
from django_agenda.scheduling import prune as prune_room
from django_agenda.scheduling import retention
from django_agenda.scheduling.prune import Rules, drop_batch, prune
from django_agenda.scheduling.retention import Retention, rules_of
from django_agenda.scheduling.rollup import Member, rollup_of
from tests import sound, tasks
from tests.factories import (
    AttemptFactory,
    BatchFactory,
    ExecutionFactory,
    Scene,
    WorkerFactory,
    flood,
)
from tests.integration.conftest import RunningWorker
from tests.waiting import wait_until

OVER = Scene(elapsed=1.5, refused=0.0, failing=0.1)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None) -> Iterator[None]:
    """Hold the counts of batches against rows and rollup; Redis does not know these rows."""
    yield
    sound.assert_sound()


@pytest.fixture(autouse=True)
def _small_chunks(configure: Callable[..., None]) -> None:
    configure(CHUNK_SIZE=50)


def everything() -> Rules:
    return Rules(executions=dict.fromkeys(Batch.ENDED, now() + timedelta(seconds=1)))


def only(*statuses: str) -> Rules:
    return Rules(executions=dict.fromkeys(statuses, now() + timedelta(seconds=1)))


def pruned(rules: Rules, **options: Any) -> Counter[str]:
    return sum(prune("default", rules, **options), Counter())


def command(*options: str, **given: Any) -> str:
    out = StringIO()
    call_command("agenda_prune", *options, stdout=out, **given)
    return out.getvalue().strip()


def ended_single(**fields: Any) -> Execution:
    return ExecutionFactory.create(**{"status": "succeeded", "finished_at": now()} | fields)


def test_the_executions_of_an_ended_batch_go_and_its_counts_stay() -> None:
    batch = flood(200, scene=OVER)
    counts = {name: getattr(batch, name) for name in Batch.COUNTS if getattr(batch, name)}

    gone = pruned(everything())

    batch.refresh_from_db()
    assert gone == counts
    assert not batch.executions.exists()
    assert {name: getattr(batch, name) for name in counts} == counts
    assert batch.status == "partly_failed"


def test_the_rollup_knows_what_the_rows_knew() -> None:
    batch = flood(300, scene=OVER)
    rows = list(Execution.objects.filter(batch=batch))
    failed = Counter(row.error_fingerprint for row in rows if row.error_fingerprint)

    pruned(everything())

    batch.refresh_from_db()
    rollup = rollup_of(batch)
    lags = [row.lag_ms for row in rows if row.lag_ms is not None]
    assert rollup.total("failed") == batch.failed
    assert rollup.longest_lag_ms == max(lags)
    assert rollup.lag.total() == rollup.late.total() == len(lags)
    assert {one.fingerprint: one.count for one in rollup.failures.values()} == dict(failed)
    assert sum(rollup.counts["succeeded"].values()) == batch.succeeded


def test_a_rollup_is_small() -> None:
    batch = flood(2000, scene=OVER)

    pruned(everything())

    batch.refresh_from_db()
    assert len(batch.rollup.encode()) < 8_000


def test_what_is_pruned_in_parts_is_counted_once() -> None:
    batch = flood(200, scene=OVER)

    pruned(only("succeeded"))
    pruned(only("succeeded"))

    batch.refresh_from_db()
    assert rollup_of(batch).total("succeeded") == batch.succeeded
    assert rollup_of(batch).total("failed") == 0
    assert batch.executions.filter(status="failed").count() == batch.failed

    pruned(everything())

    batch.refresh_from_db()
    assert rollup_of(batch).total("failed") == batch.failed


def test_an_unfinished_batch_keeps_its_executions() -> None:
    batch = flood(100, scene=Scene(elapsed=0.5))

    assert not pruned(everything())
    assert batch.executions.count() == 100


def test_age_counts_from_the_end_of_the_batch() -> None:
    batch = flood(20, scene=OVER)
    Batch.objects.filter(pk=batch.pk).update(finished_at=now() + timedelta(hours=1))

    assert not pruned(everything())


def test_what_has_not_ended_or_is_young_stays() -> None:
    ended_single()
    waiting = ExecutionFactory.create()
    running = ExecutionFactory.create(status="running")
    young = ended_single(finished_at=now() + timedelta(hours=1))

    assert pruned(everything()) == {"succeeded": 1}
    assert set(Execution.objects.all()) == {waiting, running, young}


def test_attempts_go_with_their_execution_and_children_forget_it() -> None:
    parent = ended_single(status="failed")
    AttemptFactory.create(execution=parent)
    child = ExecutionFactory.create(parent=parent)

    pruned(everything())

    child.refresh_from_db()
    assert child.parent_id is None
    assert not Attempt.objects.exists()


def test_no_statement_grows_with_the_table() -> None:
    flood(400, scene=OVER)

    with CaptureQueriesContext(connection) as captured:
        steps = [gone.total() for gone in prune("default", everything())]

    assert max(steps) <= 50
    assert len(captured) <= 14 * len(steps)


def test_a_dry_run_says_the_same_and_deletes_nothing() -> None:
    batch = flood(120, scene=OVER)

    foretold = pruned(everything(), dry_run=True)

    assert batch.executions.count() == 120
    assert pruned(everything()) == foretold


def test_a_row_that_is_retried_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ended_single(status="failed")
    ended_single(status="failed")
    delete = prune_room._delete

    def retried_first(using: str, ids: Sequence[UUID]) -> list[Member]:
        Execution.objects.filter(pk=row.pk).update(status="scheduled", finished_at=None)
        return delete(using, ids)

    monkeypatch.setattr(prune_room, "_delete", retried_first)

    assert pruned(everything()) == {"failed": 1}
    assert list(Execution.objects.all()) == [row]


def test_a_batch_can_be_dropped_whole() -> None:
    batch, other = flood(120, scene=OVER), flood(10, scene=OVER)
    callback = ExecutionFactory.create(callback_of=batch)

    gone = sum(drop_batch("default", batch), Counter())

    callback.refresh_from_db()
    assert gone.total() == 121
    assert callback.callback_of_id is None
    assert list(Batch.objects.all()) == [other]
    assert other.executions.count() == 10


def test_old_batches_go_with_what_is_left_of_them() -> None:
    old, young = flood(60, scene=OVER), BatchFactory.create()
    BatchFactory.create(finished_at=None, total=1, scheduled=1)
    Batch.objects.filter(finished_at=None).delete()
    Batch.objects.filter(pk=old.pk).update(finished_at=now() - timedelta(days=2))

    gone = pruned(Rules(batches=now() - timedelta(days=1)))

    assert gone["batches"] == 1
    assert list(Batch.objects.all()) == [young]
    assert not Execution.objects.exists()


def test_old_workers_go_and_living_ones_stay() -> None:
    long_ago = now() - timedelta(days=8)
    WorkerFactory.create(status="stopped", stopped_at=long_ago)
    WorkerFactory.create(status="lost", stopped_at=long_ago)
    stays = WorkerFactory.create(status="stopped", stopped_at=now()), WorkerFactory.create()

    gone = pruned(rules_of(get_settings(), now()))

    assert gone == {"workers": 2}
    assert set(Worker.objects.all()) == set(stays)


def test_the_settings_keep_failures_longer(configure: Callable[..., None]) -> None:
    configure(RETENTION=timedelta(days=1), RETENTION_FAILED=None, RETENTION_WORKERS=None)

    rules = rules_of(get_settings(), now())

    assert set(rules.executions) == {"succeeded", "cancelled", "skipped"}
    assert rules.batches is None
    assert rules.workers is None


def test_retention_prunes_a_little_at_a_time_and_then_rests(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST_REST", 0.0)
    monkeypatch.setattr(retention, "BUDGET", -1.0)
    configure(RETENTION=0.001, RETENTION_FAILED=0.001, CHUNK_SIZE=50)
    flood(100, scene=OVER)
    caretaking = Retention("default")

    assert caretaking.prune() == 50
    assert caretaking.prune() == 50
    while caretaking._steps is not None:
        caretaking.prune()
    ended_single(finished_at=now() - timedelta(hours=1))
    assert caretaking.prune() == 0


def test_a_worker_prunes_by_itself(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, work: Callable[..., int]
) -> None:
    monkeypatch.setattr(retention, "FIRST_REST", 0.0)
    configure(RETENTION=0.001, RETENTION_FAILED=0.001)
    flood(30, scene=OVER)

    work()

    assert not Execution.objects.exists()


def test_the_command_takes_ages_and_statuses() -> None:
    batch = flood(100, scene=OVER)

    said = command("--older-than", "0s", "--status", "failed")

    assert said == f"pruned  {batch.failed}  failed"
    assert not batch.executions.filter(status="failed").exists()
    assert batch.executions.exists()


def test_code_gives_ages_and_statuses_as_texts_too() -> None:
    ended_single()

    assert command(older_than="0s", status="succeeded") == "pruned  1  succeeded"
    with pytest.raises(CommandError, match="--older-than: must be a number and one of"):
        command(older_than="30")


def test_the_command_says_when_there_is_nothing() -> None:
    assert command() == "Nothing is old enough to be pruned."


def test_the_command_writes_json() -> None:
    ended_single()

    said = json.loads(command("--older-than", "0s", "--dry-run", "--json"))

    assert said == {"dry_run": True, "pruned": {"succeeded": 1}}
    assert Execution.objects.exists()


def test_the_command_drops_a_batch_that_has_ended_only() -> None:
    batch = flood(20, scene=Scene(elapsed=0.5))

    with pytest.raises(CommandError, match="has not ended"):
        command("--batch", str(batch.pk))
    with pytest.raises(CommandError, match="There is no batch"):
        command("--batch", "0")

    ended = flood(20, scene=OVER)
    command("--batch", str(ended.pk))
    assert list(Batch.objects.all()) == [batch]


@pytest.mark.parametrize(
    "more", [("--older-than", "30d"), ("--status", "failed"), ("--batches",)], ids=str
)
def test_what_would_not_be_heeded_beside_a_batch_is_refused(more: tuple[str, ...]) -> None:
    ended = flood(20, scene=OVER)

    with pytest.raises(CommandError, match=f"whatever its age, so {more[0]} cannot be given"):
        command("--batch", str(ended.pk), *more)

    assert ended.executions.exists()


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1y", ""])
def test_an_age_needs_a_unit(age: str) -> None:
    with pytest.raises(CommandError):
        command(f"--older-than={age}")


@pytest.mark.parametrize("age", ["365251d", "2000000d", "99999999999w"])
def test_an_age_that_no_row_can_have_is_refused(age: str) -> None:
    with pytest.raises(CommandError, match="at most a thousand years"):
        command(f"--older-than={age}")


def test_pruning_beside_a_busy_worker_loses_no_count() -> None:
    batches = []
    with RunningWorker():
        for _ in range(4):
            agenda = Agenda()
            for number in range(100):
                agenda.add(tasks.nothing)(number)
            batches.append(agenda.scatter(over=timedelta(milliseconds=200)).pk)
        wait_until(lambda: not pruned(everything()) and not Execution.objects.exists(), 15)

    ended = Batch.objects.filter(pk__in=batches, succeeded=100, status="succeeded")
    assert ended.count() == 4
    assert {rollup_of(batch).total("succeeded") for batch in ended} == {100}
