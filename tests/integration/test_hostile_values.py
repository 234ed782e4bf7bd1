"""Hostile payloads on their whole way: refused before anything is written, or back exactly."""

from __future__ import annotations

import re
from typing import Any

import pytest

from django_agenda import Agenda, Call, schedule, schedule_many
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.tasks.payload import encode_arguments
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis
from tests.unit.tasks.test_payload import AWKWARD, REFUSED, exactly

from .conftest import Configure, Work
from .control import HOUR


@pytest.mark.parametrize(
    ("value", "error", "reason"), REFUSED, ids=[type(value).__name__ for value, _, _ in REFUSED]
)
def test_what_does_not_survive_is_refused_with_its_path_and_nothing_is_written(
    value: Any, error: type[Exception], reason: str, redis_server: RedisServer
) -> None:
    good = [Call(tasks.echo, (n,)) for n in range(3)]
    bad = Call(tasks.echo, ({"deep": [0, value]},))
    path = re.escape('args[0]["deep"][1]')

    with pytest.raises(error, match=path):
        Agenda([*good, bad]).scatter(start=now(), over=HOUR)
    with pytest.raises(error, match=path):
        schedule_many([*good, bad])
    with pytest.raises(error, match=path):
        schedule(tasks.echo)({"deep": [0, value]})

    assert not Batch.objects.exists()
    assert not Execution.objects.exists()
    assert ids_in_redis(redis_server.client) == set()


def test_every_awkward_value_reaches_its_body_and_comes_back_exactly(
    work: Work, configure: Configure
) -> None:
    configure(MAX_PAYLOAD_BYTES=3_000_000)
    calls = [Call(tasks.echo, (value,), {"value": value}) for value in AWKWARD]
    batch = Agenda(calls).scatter(start=now() - 2 * HOUR, over=HOUR)

    work()

    assert assert_counters_equal_rows(batch).succeeded == len(AWKWARD)
    rows = batch.executions.order_by("position")
    for value, row in zip(AWKWARD, rows, strict=True):
        assert exactly(row.args) == exactly([value])
        assert exactly(row.kwargs) == exactly({"value": value})
        assert exactly(row.return_value) == exactly([[value], {"value": value}])


@pytest.mark.parametrize("character", ["x", "é", "🎉", '"', "\x01"])
def test_the_limit_is_exact_to_the_byte(
    character: str, work: Work, configure: Configure, redis_server: RedisServer
) -> None:
    configure(MAX_PAYLOAD_BYTES=2_000)
    text = character * 100
    args, kwargs = encode_arguments((text,), {})
    size = len(args.encode()) + len(kwargs.encode())
    fits = text + "x" * (2_000 - size)

    with pytest.raises(ValueError, match="2001 bytes"):
        schedule(tasks.nothing)(fits + "x")
    row = schedule(tasks.nothing)(fits)
    work()

    row.refresh_from_db()
    assert (row.status, row.args) == ("succeeded", [fits])
