"""`agenda_dev`: a private Redis, a worker and the site in one terminal, and all end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "example_project"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


class Dev:
    """Hold one `manage.py agenda_dev` of the example project, with a database of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = os.environ | {"DEMO_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
        for name in ("PYTEST_VERSION", "DJANGO_SETTINGS_MODULE", "REDIS_URL"):
            environment.pop(name, None)
        command = [sys.executable, "manage.py"]
        subprocess.run([*command, "migrate", "-v0"], cwd=EXAMPLE, env=environment, check=True)
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self._popen = subprocess.Popen(
                [*command, "agenda_dev", *arguments],
                cwd=EXAMPLE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.send = self._popen.send_signal

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self._popen.poll() is not None, 90, what=text)
        assert text in self.output, self.output

    def end(self) -> int:
        return self._popen.wait(90)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self._popen.kill()
        self._popen.wait()

    def members(self) -> list[int]:
        """Return the processes whose environment is this one's, itself and the dead left out."""
        found = []
        mark = f"DEMO_DIR={self._output.parent}".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                pid = int(path.parent.name)
                if mark in path.read_bytes() and pid != self._popen.pid:
                    found.append(pid)
        return found


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    started: list[Dev] = []

    def start(*arguments: str) -> Dev:
        started.append(Dev(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_runs_all_and_a_signal_ends_all(
    dev: Callable[..., Dev], port: int, number: signal.Signals
) -> None:
    running = dev(f"127.0.0.1:{port}", "--private-redis", "--no-color")
    running.wait_for("worker | ")
    running.wait_for("worker_started")
    wait_until(lambda: answers(port), 90, what="the site")

    running.send(number)

    assert running.end() == 0, running.output
    assert "agenda | uses a private Redis at unix://" in running.output
    assert "  site | " in running.output
    wait_until(lambda: not running.members(), 10, what="the end of all processes")


def test_one_that_ends_takes_all_with_it(dev: Callable[..., Dev], port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        running = dev(f"127.0.0.1:{port}", "--private-redis", "--no-color")

        assert running.end() == 1, running.output

    assert "site has ended with" in running.output
    wait_until(lambda: not running.members(), 10, what="the end of all processes")


def test_called_from_code_it_says_that_it_is_a_program() -> None:
    from django.core.management import call_command
    from django.core.management.base import CommandError

    with pytest.raises(CommandError, match="a program of its own"):
        call_command("agenda_dev")


@pytest.mark.parametrize(
    ("given", "caches", "names"),
    [
        ({"REDIS": "redis://localhost:6379/0"}, {}, True),
        ({"REDIS": "nothing"}, {}, True),
        ({}, {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}, False),
        (
            {},
            {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://x"}},
            True,
        ),
    ],
)
def test_a_private_server_is_for_projects_that_name_none(
    given: Any, caches: Any, names: bool, settings: Any
) -> None:
    from django_agenda.checks import names_redis

    settings.DJANGO_AGENDA = given
    settings.CACHES = caches

    assert names_redis() is names


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
