"""Rows are written in the caller's transaction; the broker is told on commit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from django_agenda import Agenda, Call, schedule, schedule_many
from django_agenda.models import Batch, Execution
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Undone(Exception):
    pass


def scatter(count: int = 3, **options: object) -> Batch:
    agenda = Agenda([Call(tasks.plain, (n,)) for n in range(count)])
    return agenda.scatter(start=START, over=HOUR, **options)  # type: ignore[arg-type]


def test_redis_is_told_only_after_the_commit(redis_server: RedisServer) -> None:
    with transaction.atomic():
        batch = scatter()
        inside = ids_in_redis(redis_server.client)
        assert (batch.total, batch.scheduled, batch.enqueued) == (3, 3, 0)
        assert batch.status == "pending"

    assert inside == set()
    assert len(ids_in_redis(redis_server.client)) == 3
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.enqueued) == ("scheduled", 3)


WAYS: dict[str, Callable[[], object]] = {
    "scatter": scatter,
    "schedule": lambda: schedule(tasks.plain, at=START)(1),
    "schedule_many": lambda: schedule_many([Call(tasks.plain, at=START)] * 3),
}


@pytest.mark.parametrize("way", WAYS)
def test_rolled_back_nothing_ever_runs(way: str, redis_server: RedisServer) -> None:
    with pytest.raises(Undone), transaction.atomic():  # noqa: PT012
        WAYS[way]()
        raise Undone

    assert not Batch.objects.exists()
    assert not Execution.objects.exists()
    assert ids_in_redis(redis_server.client) == set()


@pytest.mark.parametrize("way", WAYS)
def test_a_savepoint_that_is_rolled_back_takes_only_its_own_along(
    way: str, redis_server: RedisServer
) -> None:
    with transaction.atomic():
        kept = scatter(2)
        with pytest.raises(Undone), transaction.atomic():  # noqa: PT012
            WAYS[way]()
            raise Undone

    assert ids_in_redis(redis_server.client) == set(kept.executions.values_list("pk", flat=True))
    assert Execution.objects.count() == 2
    assert assert_counters_equal_rows(kept).enqueued == 2


def test_a_savepoint_that_is_kept_waits_for_the_outermost_commit(
    redis_server: RedisServer,
) -> None:
    with transaction.atomic():
        with transaction.atomic():
            scatter(2)
        assert ids_in_redis(redis_server.client) == set()

    assert len(ids_in_redis(redis_server.client)) == 2


def test_a_replacement_that_is_rolled_back_leaves_the_former_alone(
    redis_server: RedisServer,
) -> None:
    former = schedule(tasks.plain, at=START, key="k")(1)

    with pytest.raises(Undone), transaction.atomic():  # noqa: PT012
        schedule(tasks.plain, at=START + HOUR, key="k", replace=True)(2)
        raise Undone

    former.refresh_from_db()
    assert former.status == "scheduled"
    assert ids_in_redis(redis_server.client) == {former.pk}


def test_strict_inside_a_transaction_never_raises(redis_server: RedisServer) -> None:
    redis_server.kill()

    with transaction.atomic():
        batch = scatter(strict=True)

    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.pending) == ("partly_scheduled", 3)


def test_a_key_of_a_transaction_that_was_rolled_back_is_free() -> None:
    with pytest.raises(Undone), transaction.atomic():  # noqa: PT012
        schedule(tasks.plain, at=START, key="k")(1)
        scatter(key="daily")
        raise Undone

    assert schedule(tasks.plain, at=START, key="k")(2).args == [2]
    assert scatter(key="daily").total == 3


def test_two_scatters_of_one_transaction_are_both_enqueued(redis_server: RedisServer) -> None:
    with transaction.atomic():
        one, two = scatter(2), scatter(3)

    assert assert_counters_equal_rows(one).enqueued == 2
    assert assert_counters_equal_rows(two).enqueued == 3
    assert len(ids_in_redis(redis_server.client)) == 5
