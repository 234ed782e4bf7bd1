"""The servers of the tests themselves: private, shared with child processes, never left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from django_agenda import embedded
from tests.conftest import RedisServer
from tests.waiting import wait_until

CHILD = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.cache import cache
cache.set("child", User.objects.get().username)
"""
VICTIM = """
import os, sys
os.environ["PYTEST_VERSION"] = "9"
for name in [name for name in os.environ if name.startswith("AGENDA_TEST_")]:
    del os.environ[name]
from tests import servers
servers.start_for_tests()
print(servers.embedded_redis.path, os.environ["AGENDA_TEST_DB_HOST"], flush=True)
sys.stdin.read()
"""


@pytest.mark.django_db(transaction=True)
def test_a_child_process_uses_the_same_servers(redis_server: RedisServer) -> None:
    User.objects.create(username="parent")

    subprocess.run([sys.executable, "-c", CHILD], check=True)

    assert cache.get("child") == "parent"
    assert redis_server.client.dbsize() == 1


def test_a_server_that_was_killed_is_back_for_the_next_test(redis_server: RedisServer) -> None:
    redis_server.client.set("written", "before")

    redis_server.kill()
    assert redis_server.pid is None
    redis_server.start()

    assert redis_server.client.dbsize() == 0


def test_keys_without_a_time_to_live_are_found(redis_server: RedisServer) -> None:
    redis_server.client.set("mortal", "1", ex=60)
    redis_server.client.set("eternal", "1")

    assert redis_server.eternal_keys() == ["eternal"]


def test_the_servers_of_a_killed_test_run_are_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "AGENDA_TEST_DB": "sqlite"},
    ) as victim:
        assert victim.stdout
        path, folder = victim.stdout.readline().decode().split()
        assert embedded._answers(path)
        victim.send_signal(signal.SIGKILL)
        victim.wait()

    wait_until(lambda: not embedded._answers(path), what="the orphan to end")
    shutil.rmtree(folder)
    shutil.rmtree(Path(path).parent)
