"""Redis refuses, dies or hangs in the middle: what it took stays, and the rest says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from django_agenda import Agenda, Call, PartiallyScheduled, schedule, schedule_many
from django_agenda.broker import connection as broker_connection
from django_agenda.clock import now
from django_agenda.models import Batch
from django_agenda.scheduling import reconcile
from django_agenda.scheduling.cancel import cancel
from django_agenda.signals import execution_scheduled
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis

from .conftest import Configure, Work, statuses

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
AfterChunk = Callable[[int, Callable[[], object]], None]


class ProcessDies(BaseException):
    """Leave the process as if it had been killed: nothing catches it."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_connection, "SOCKET_TIMEOUT", 0.2)
    monkeypatch.setattr(broker_connection, "CONNECT_TIMEOUT", 0.2)
    broker_connection.forget_clients()


def scatter(count: int = 10, **options: Any) -> Batch:
    agenda = Agenda([Call(tasks.plain, (n,)) for n in range(count)])
    given: dict[str, Any] = {"start": START, "over": HOUR}
    return agenda.scatter(**given | options)


def heal() -> int:
    """Look twice: what has moved since the first look is on its way, and left alone."""
    unfinished = reconcile.Unfinished("default")
    return unfinished.enqueue() + unfinished.enqueue()


def test_a_resume_counts_what_was_refused_once(redis_server: RedisServer) -> None:
    redis_server.kill()
    batch = scatter()
    assert batch.resume() == 0

    redis_server.start()

    assert batch.resume() == 10
    assert batch.resume() == 0


def test_with_redis_down_all_rows_are_kept_and_pending(redis_server: RedisServer) -> None:
    redis_server.kill()

    batch = scatter()

    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.pending, batch.enqueued) == ("partly_scheduled", 10, 0)
    assert batch.enqueue_error
    assert batch.enqueue_failed_at
    row = batch.executions.all()[0]
    assert (row.status, row.failed_stage) == ("pending", "enqueue")
    assert row.error_class
    assert row.error_message


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_killed_in_the_middle_what_it_took_stays_scheduled(
    chunks: int, configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=3)
    after_chunk(chunks, redis_server.kill)

    batch = scatter(11)

    took = 3 * chunks
    assert statuses(batch) == ["scheduled"] * took + ["pending"] * (11 - took)
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.enqueued, batch.scheduled) == ("partly_scheduled", took, took)
    assert "pending" in batch.describe()
    assert f"{11 - took}" in batch.describe()


def test_frozen_in_the_middle_the_rest_is_pending(
    impatient: None, configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=5)
    after_chunk(1, redis_server.freeze)

    batch = scatter(10)

    assert statuses(batch) == ["scheduled"] * 5 + ["pending"] * 5
    assert_counters_equal_rows(batch)


def test_an_answer_that_was_lost_runs_nothing_twice(
    impatient: None, redis_server: RedisServer, work: Work, ledger: str
) -> None:
    agenda = Agenda([Call(tasks.note, (ledger, str(n))) for n in range(5)])
    redis_server.freeze()
    batch = agenda.scatter(start=now(), over=timedelta(milliseconds=1))
    assert statuses(batch) == ["pending"] * 5

    redis_server.thaw()
    broker_connection.forget_clients()
    work()

    assert sorted(tasks.lines(ledger)) == list("01234")
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_redis_that_is_out_of_memory_refuses_honestly(redis_server: RedisServer) -> None:
    redis_server.client.config_set("maxmemory", "1")
    try:
        batch = scatter()
    finally:
        redis_server.client.config_set("maxmemory", "0")

    assert batch.status == "partly_scheduled"
    assert "OOM" in batch.enqueue_error or "memory" in batch.enqueue_error
    assert_counters_equal_rows(batch)


def test_a_key_of_the_wrong_type_refuses_honestly(redis_server: RedisServer) -> None:
    redis_server.client.set("{test}:due:default", "not a sorted set")
    batch = scatter(3)
    redis_server.flush()

    assert (batch.status, batch.pending) == ("partly_scheduled", 3)


# --- strict ---


def test_strict_raises_with_the_batch_the_counts_and_the_cause(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=4)
    after_chunk(1, redis_server.kill)

    with pytest.raises(PartiallyScheduled) as caught:
        scatter(10, strict=True)

    error = caught.value
    assert (error.scheduled, error.pending) == (4, 6)
    assert error.batch.status == "partly_scheduled"
    assert error.__cause__ is not None
    assert "4 of 10" in str(error)
    assert "6" in str(error)
    assert statuses(error.batch) == ["scheduled"] * 4 + ["pending"] * 6


def test_strict_does_not_count_skipped_executions_as_taken(redis_server: RedisServer) -> None:
    schedule(tasks.plain, at=START, key="alive")()
    redis_server.kill()
    calls = [Call(tasks.plain, key="alive"), Call(tasks.plain), Call(tasks.plain)]

    with pytest.raises(PartiallyScheduled) as caught:
        Agenda(calls).scatter(start=START, over=HOUR, strict=True)

    assert (caught.value.scheduled, caught.value.pending) == (0, 2)


def test_strict_is_quiet_when_all_went_well() -> None:
    assert scatter(strict=True).status == "scheduled"


# --- resume and the caretaker ---


def test_resume_enqueues_the_rest_at_once(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=3)
    after_chunk(2, redis_server.kill)
    batch = scatter(10)
    redis_server.start()

    batch.resume()

    assert (batch.status, batch.pending, batch.enqueued) == ("scheduled", 0, 10)
    assert_counters_equal_rows(batch)
    rows = batch.executions.filter(position__gte=6)
    assert ids_in_redis(redis_server.client) == {row.pk for row in rows}
    assert {(row.status, row.error_message, row.failed_stage) for row in rows} == {
        ("scheduled", "", "")
    }


def test_resume_that_is_refused_again_stays_honest(redis_server: RedisServer) -> None:
    redis_server.kill()
    batch = scatter(4)

    batch.resume()

    assert (batch.status, batch.pending) == ("partly_scheduled", 4)
    assert_counters_equal_rows(batch)


def test_resume_inside_a_transaction_waits_for_the_commit(redis_server: RedisServer) -> None:
    redis_server.kill()
    batch = scatter(4)
    redis_server.start()

    with transaction.atomic():
        batch.resume()
        assert ids_in_redis(redis_server.client) == set()

    assert len(ids_in_redis(redis_server.client)) == 4
    assert assert_counters_equal_rows(batch).status == "scheduled"


def test_a_worker_enqueues_the_rest_and_runs_it(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer, work: Work
) -> None:
    configure(CHUNK_SIZE=3)
    after_chunk(2, redis_server.kill)
    batch = scatter(10, start=now(), over=timedelta(milliseconds=1))
    redis_server.start()

    work()

    assert statuses(batch) == ["succeeded"] * 10
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_process_that_dies_after_the_commit_is_healed(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=3)
    after_chunk(1, _die)
    with pytest.raises(ProcessDies):
        scatter(10)
    batch = Batch.objects.get()
    assert batch.status == "pending"
    assert batch.enqueued < batch.total

    healed = heal()

    assert healed > 0
    assert len(ids_in_redis(redis_server.client)) == 10
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.enqueued) == ("scheduled", 10)


def test_a_death_in_the_middle_is_healed_also_behind_skipped_executions(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=1)
    for number in range(5):
        schedule(tasks.plain, at=START, key=f"k{number}")()
    redis_server.flush()
    calls = [Call(tasks.plain, (n,), key=f"k{n}" if n < 5 else None) for n in range(10)]
    after_chunk(2, _die)
    with pytest.raises(ProcessDies):
        Agenda(calls).scatter(start=START, over=HOUR)
    batch = Batch.objects.get()
    assert batch.status == "pending"

    heal()

    waiting = set(batch.executions.filter(status="scheduled").values_list("pk", flat=True))
    assert ids_in_redis(redis_server.client) == waiting
    assert assert_counters_equal_rows(batch).enqueued == 5


def test_a_death_in_the_middle_is_healed_although_some_were_cancelled(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=2)
    after_chunk(4, _die)
    with pytest.raises(ProcessDies):
        scatter(10)
    batch = Batch.objects.get()
    cancel(batch.executions.filter(position__lt=6))

    heal()

    waiting = set(batch.executions.filter(status="scheduled").values_list("pk", flat=True))
    assert ids_in_redis(redis_server.client) == waiting
    assert len(waiting) == 4


def test_enqueued_counts_what_redis_was_told_of_and_not_what_was_skipped(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=1)
    for number in range(5):
        schedule(tasks.plain, at=START, key=f"k{number}")()
    calls = [Call(tasks.plain, (n,), key=f"k{n}" if n < 5 else None) for n in range(10)]
    after_chunk(2, redis_server.kill)

    batch = Agenda(calls).scatter(start=START, over=HOUR)

    assert (batch.enqueued, batch.pending, batch.skipped) == (2, 3, 5)


def test_a_young_batch_is_left_to_the_process_that_scatters_it(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(ENQUEUE_GRACE=60)
    redis_server.kill()
    batch = scatter(4)
    redis_server.start()

    assert heal() == 0

    assert assert_counters_equal_rows(batch).pending == 4


def test_a_batch_is_left_alone_until_it_is_seen_not_to_move(redis_server: RedisServer) -> None:
    redis_server.kill()
    scatter(4)
    redis_server.start()
    unfinished = reconcile.Unfinished("default")

    assert unfinished.enqueue() == 0
    assert ids_in_redis(redis_server.client) == set()
    assert unfinished.enqueue() == 4
    assert len(ids_in_redis(redis_server.client)) == 4


def test_a_healthy_batch_needs_no_healing() -> None:
    scatter(4)

    assert heal() == 0
    assert reconcile.enqueue_pending("default") == 0


# --- single executions ---


def test_a_single_execution_that_redis_refused_is_pending(redis_server: RedisServer) -> None:
    redis_server.kill()

    row = schedule(tasks.plain, at=START)(1)

    row.refresh_from_db()
    assert (row.status, row.failed_stage) == ("pending", "enqueue")
    assert row.error_message


def test_of_many_singles_only_those_that_were_refused_are_pending(
    configure: Configure, after_chunk: AfterChunk, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=2)
    after_chunk(1, redis_server.kill)

    rows = schedule_many([Call(tasks.plain, (n,), at=START) for n in range(6)])

    assert [row.status for row in rows] == ["scheduled"] * 2 + ["pending"] * 4


def test_a_worker_enqueues_pending_singles(redis_server: RedisServer, work: Work) -> None:
    redis_server.kill()
    row = schedule(tasks.plain)(7)
    redis_server.start()

    work()

    row.refresh_from_db()
    assert (row.status, row.return_value, row.error_message) == ("succeeded", 7, "")


def test_a_refusal_leaves_an_execution_of_the_same_key_alone(redis_server: RedisServer) -> None:
    living = schedule(tasks.plain, at=START, key="k")(1)
    redis_server.kill()

    schedule(tasks.plain, at=START, key="k")(2)

    living.refresh_from_db()
    assert living.status == "scheduled"


def _die() -> None:
    raise ProcessDies


def test_listeners_that_fail_change_nothing() -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    execution_scheduled.connect(broken)
    try:
        batch = scatter(3)
    finally:
        execution_scheduled.disconnect(broken)

    assert batch.status == "scheduled"
