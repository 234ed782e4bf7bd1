"""Random histories on the real code, a real Redis and a real database."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import RedisServer

from .actor import keep_connections_open
from .rules import Machine

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

HISTORIES = settings(
    max_examples=int(os.environ.get("AGENDA_TEST_HISTORIES", "25")),
    stateful_step_count=40,
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.usefixtures("transactional_db")
def test_whatever_happens_in_whatever_order_nothing_is_lost_or_done_twice(
    redis_server: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DJANGO_AGENDA = settings.DJANGO_AGENDA | {
        "ENQUEUE_GRACE": 0.000001,
        "CHUNK_SIZE": 3,
        "MAX_CRASHES": 1000,
    }
    keep_connections_open(monkeypatch)
    Machine.server = redis_server.client

    run_state_machine_as_test(Machine, settings=HISTORIES)
