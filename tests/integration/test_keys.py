"""Keys: at most one live execution, and one live batch, for a key."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from django_agenda import Agenda, Call, schedule
from django_agenda.models import Batch, Execution
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis

from .conftest import Configure, Work, statuses

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def keyed(*keys: str | None) -> Agenda:
    return Agenda([Call(tasks.plain, (n,), key=key) for n, key in enumerate(keys)])


# --- executions in a batch ---


def test_the_second_of_a_key_is_skipped_and_the_first_keeps_its_arguments() -> None:
    batch = keyed("a", "b", "a", None, None).scatter(start=START, over=HOUR)

    batch = assert_counters_equal_rows(batch)
    assert statuses(batch) == ["scheduled", "scheduled", "skipped", "scheduled", "scheduled"]
    assert batch.skipped == 1
    assert Execution.objects.get(key="a", status="scheduled").args == [0]
    assert batch.executions.get(status="skipped").finished_at is not None


def test_a_key_that_lives_in_another_batch_is_skipped(configure: Configure) -> None:
    configure(CHUNK_SIZE=2)
    first = keyed("a", "b", "c").scatter(start=START, over=HOUR)

    second = keyed("x", "c", "y", "b", "z").scatter(start=START, over=HOUR)

    assert statuses(second) == ["scheduled", "skipped", "scheduled", "skipped", "scheduled"]
    assert [row.args for row in second.executions.all()] == [[0], [1], [2], [3], [4]]
    assert second.status == "scheduled"
    assert_counters_equal_rows(first)
    assert_counters_equal_rows(second)


def test_skipped_executions_are_never_told_to_redis(redis_server: RedisServer) -> None:
    batch = keyed("a", "a", "a").scatter(start=START, over=HOUR)

    assert ids_in_redis(redis_server.client) == {batch.executions.get(status="scheduled").pk}
    assert batch.enqueued == 1


def test_a_batch_whose_calls_are_all_skipped_has_ended() -> None:
    keyed("a", "b").scatter(start=START, over=HOUR)

    batch = keyed("a", "b").scatter(start=START, over=HOUR)

    assert (batch.status, batch.skipped, batch.finished_at is None) == ("succeeded", 2, False)
    assert_counters_equal_rows(batch)


def test_a_key_is_free_again_when_its_execution_has_ended(work: Work) -> None:
    keyed("a").scatter(start=START - timedelta(days=9000), over=HOUR)
    work()

    again = keyed("a").scatter(start=START, over=HOUR)

    assert statuses(again) == ["scheduled"]
    assert set(Execution.objects.filter(key="a").values_list("status", flat=True)) == {
        "succeeded",
        "scheduled",
    }


def test_a_key_stays_taken_while_a_retry_is_awaited(work: Work, ledger: str) -> None:
    schedule(tasks.fail_and_wait, key="a")(ledger)
    work()

    batch = keyed("a").scatter(start=START, over=HOUR)

    assert statuses(batch) == ["skipped"]


@pytest.mark.parametrize(
    "keys",
    [
        ("ann", "Ann", "ann ", " ann", "änn", "ánn", "ann\t"),
        ("ß", "ss", "SS", "ﬁ", "fi"),
        ("x" * 255, "x" * 254),
        ("☃", "😀", "é", "e\u0301"),
        ("'", '"', "\\", "%s", "{}", "--", "null", "0"),
    ],
    ids=lambda keys: repr(keys[0])[:8],
)
def test_keys_are_compared_letter_by_letter(keys: tuple[str, ...]) -> None:
    batch = keyed(*keys).scatter(start=START, over=HOUR)

    assert statuses(batch) == ["scheduled"] * len(keys)
    assert [row.key for row in batch.executions.all()] == list(keys)


# --- batches ---


def test_a_live_batch_of_that_key_is_returned_and_nothing_is_added() -> None:
    first = keyed(None, None).scatter(start=START, over=HOUR, key="daily", name="first")

    second = keyed(None, None, None).scatter(start=START, over=2 * HOUR, key="daily", name="second")

    assert second.pk == first.pk
    assert (second.name, second.total, second.over) == ("first", 2, HOUR)
    assert Batch.objects.count() == 1
    assert Execution.objects.count() == 2


def test_the_key_of_a_batch_is_free_when_it_has_ended(work: Work) -> None:
    first = keyed(None).scatter(start=START - timedelta(days=9000), over=HOUR, key="daily")
    work()

    second = keyed(None).scatter(start=START, over=HOUR, key="daily")

    assert second.pk != first.pk
    assert (second.status, second.key) == ("scheduled", "daily")


def test_the_key_of_an_empty_batch_is_free_at_once() -> None:
    first = Agenda().scatter(over=HOUR, key="daily")

    second = Agenda().scatter(over=HOUR, key="daily")

    assert second.pk != first.pk


def test_keys_of_batches_and_of_executions_have_nothing_to_do_with_each_other() -> None:
    batch = keyed("same").scatter(start=START, over=HOUR, key="same")

    assert statuses(batch) == ["scheduled"]


def test_many_threads_that_scatter_one_key_get_one_batch() -> None:
    found = _in_threads(6, lambda: keyed("a", "b").scatter(start=START, over=HOUR, key="one").pk)

    assert len(set(found)) == 1
    assert Batch.objects.count() == 1
    assert Execution.objects.count() == 2


def test_many_threads_that_schedule_one_key_get_one_execution() -> None:
    found = _in_threads(6, lambda: schedule(tasks.plain, at=START, key="one")(1).pk)

    assert len(set(found)) == 1
    assert Execution.objects.count() == 1


def test_many_threads_that_scatter_the_same_keys_leave_one_of_each_alive() -> None:
    names = [f"k{number}" for number in range(20)]

    _in_threads(4, lambda: keyed(*names).scatter(start=START, over=HOUR).pk)

    assert Execution.objects.filter(status="scheduled").count() == 20
    assert Execution.objects.filter(status="skipped").count() == 60
    for batch in Batch.objects.all():
        assert_counters_equal_rows(batch)


def _in_threads(count: int, body: Any) -> list[Any]:
    found: list[Any] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        try:
            barrier.wait(10)
            found.append(body())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == count
    return found
