"""A hundred thousand at once: what it costs the one who scatters, and everybody else at Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import pytest

from django_agenda.clock import monotonic
from django_agenda.models import Batch
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.usefixtures("transactional_db"),
]

ROOT = Path(__file__).parents[2]
COUNT = 100_000
MOST_GROWTH_MB = 30
LONGEST_BLOCK_S = 0.05
PROBE_EVERY_S = 0.005

SCRIPT = f"""
import django, json
django.setup()
from datetime import timedelta
from django_agenda import Agenda, Call
from tests import tasks

def peak():
    # Not getrusage(), which begins with the peak of the process that started this one.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

Agenda([Call(tasks.plain, (0,))]).scatter(over=timedelta(hours=1))
before = peak()
calls = (Call(tasks.plain, (n,)) for n in range({COUNT}))
batch = Agenda(calls, count={COUNT}).scatter(over=timedelta(hours=1))
print(json.dumps({{"growth_mb": peak() - before, "batch": batch.pk}}))
"""


class Probe:
    """Ask Redis for nothing every few milliseconds, and note the longest wait for its answer."""

    def __init__(self, server: RedisServer) -> None:
        self._client = server.client
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.waits: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(PROBE_EVERY_S):
            began = monotonic()
            self._client.ping()
            self.waits.append(monotonic() - began)


def slowest_commands(server: RedisServer) -> list[int]:
    """Return how many microseconds the server itself was busy with each of its slowest commands."""
    return [entry["duration"] for entry in server.client.slowlog_get(20)]


def test_a_scatter_of_a_hundred_thousand_is_small_and_holds_up_nobody(
    redis_server: RedisServer,
) -> None:
    redis_server.client.config_set("slowlog-log-slower-than", 5_000)
    redis_server.client.slowlog_reset()

    with Probe(redis_server) as probe:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
            capture_output=True,
            text=True,
            check=True,
        )

    said = json.loads(done.stdout)
    assert said["growth_mb"] < MOST_GROWTH_MB
    batch = assert_counters_equal_rows(Batch.objects.get(pk=said["batch"]))
    assert (batch.total, batch.enqueued) == (COUNT, COUNT)
    # The server's own word: a probe also waits for a busy machine.
    slowest = slowest_commands(redis_server)
    assert max(slowest, default=0) < LONGEST_BLOCK_S * 1e6, slowest
    waits = sorted(probe.waits)
    assert len(waits) > 100
    assert waits[len(waits) * 95 // 100] < LONGEST_BLOCK_S, waits[-5:]
