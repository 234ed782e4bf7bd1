"""What a body does to its connection is its own affair: the next one finds it as it should be."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from django_agenda import schedule
from django_agenda.models import Execution
from tests import spoiling_tasks, tasks
from tests.conftest import RedisServer
from tests.sound import ids_in_redis

from .conftest import Work

WAYS = [*spoiling_tasks.WAYS]
if connection.vendor == "postgresql":
    WAYS += spoiling_tasks.ON_POSTGRESQL


@pytest.mark.parametrize("way", WAYS)
def test_the_next_body_of_the_thread_finds_a_good_connection(way: str, work: Work) -> None:
    row = schedule(spoiling_tasks.spoil)(way)
    after = schedule(spoiling_tasks.make_user, after=0.05)("ann")

    work(max_tasks=2, concurrency=1)

    row.refresh_from_db()
    assert (row.status, row.return_value) == ("succeeded", "spoilt")
    assert after.wait(1) == 1
    assert not User.objects.filter(username="never committed").exists()


@pytest.mark.parametrize("way", WAYS)
def test_a_body_whose_outcome_is_part_of_its_transaction_ends_all_the_same(
    way: str, work: Work
) -> None:
    row = schedule(spoiling_tasks.spoil_together)(way)
    after = schedule(spoiling_tasks.make_user, after=0.05)("ann")

    work(max_tasks=2, concurrency=1)

    row.refresh_from_db()
    assert row.status in ("succeeded", "failed")
    if way.startswith("open"):
        assert (row.status, row.attempts) == ("failed", 1)
        assert "left a transaction open" in row.error_message
        assert not User.objects.filter(username="never committed").exists()
    assert after.wait(1) == 1


# --- the caller's own transaction ---


def test_a_poisoned_transaction_takes_everything_along(redis_server: RedisServer) -> None:
    User.objects.create(username="twin")

    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():  # noqa: PT012
        schedule(tasks.plain, after=3600)()
        with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
            User.objects.create(username="twin")
        schedule(tasks.plain, after=3600)()

    assert not Execution.objects.exists()
    assert ids_in_redis(redis_server.client) == set()


def test_a_transaction_that_is_marked_for_rollback_tells_nothing(redis_server: RedisServer) -> None:
    with transaction.atomic():
        schedule(tasks.plain, after=3600)()
        transaction.set_rollback(True)

    assert not Execution.objects.exists()
    assert ids_in_redis(redis_server.client) == set()


def test_of_nested_savepoints_only_those_that_were_kept_are_told(redis_server: RedisServer) -> None:
    with transaction.atomic():
        kept = schedule(tasks.plain, after=3600)()
        with transaction.atomic():
            with transaction.atomic():
                with transaction.atomic():
                    schedule(tasks.plain, after=3600)()
                transaction.set_rollback(True)
            also_kept = schedule(tasks.plain, after=3600)()

    assert ids_in_redis(redis_server.client) == {kept.pk, also_kept.pk}


def test_without_autocommit_redis_is_told_when_it_is_on_again(redis_server: RedisServer) -> None:
    transaction.set_autocommit(False)
    try:
        row = schedule(tasks.plain, after=3600)()
        inside = ids_in_redis(redis_server.client)
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert inside == set()
    assert ids_in_redis(redis_server.client) == {row.pk}
