"""The servers of one run: private ones, with a proxy in front of each that talks over a socket."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from django_agenda.embedded import EmbeddedRedis
from tests import servers

from .proxy import Proxy

DATABASE_NAME = "chaos"


class Postgres:
    """Run a private PostgreSQL that can be crashed and started again.

    A commit that was answered survives every crash of the server, though not one of the machine.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self._user = servers._unprivileged_user()
        self._binaries = servers._postgres_binaries(folder, self._user)
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._data = f"{folder}/data"
        self._process: subprocess.Popen[bytes] | None = None
        initdb = [f"{self._binaries}/initdb", "-D", self._data, "-U", "agenda", "-A", "trust"]
        servers._run([*initdb, "-E", "UTF8", "--locale=C", "--no-sync"], user=self._user)

    def start(self) -> None:
        """Start it, and wait until it has recovered."""
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": self.folder,
            "max_connections": "200",
            "shared_buffers": "64MB",
            "dynamic_shared_memory_type": "mmap",
            "log_min_messages": "panic",
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        self._process = process = servers._spawn(
            [f"{self._binaries}/postgres", "-D", self._data, "-F", *options],
            user=self._user,
            last_word=signal.SIGQUIT,
        )
        lock_file = Path(self._data, "postmaster.pid")
        servers._wait_for(
            process, lambda: lock_file.exists() and "\nready" in lock_file.read_text()
        )

    def crash(self) -> None:
        """End it as `pg_ctl stop -m immediate` does: no session ends in order, no checkpoint."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)
        Path(self._data, "postmaster.pid").unlink(missing_ok=True)

    def say(self, statement: str) -> list[Any]:
        """Run a statement on a connection of its own, past the proxy."""
        import psycopg

        with psycopg.connect(
            host=self.folder, port=5432, user="agenda", dbname="postgres", autocommit=True
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def terminate_all(self) -> None:
        """Close every other session, as an administrator or a failover does."""
        self.say(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


class Ground:
    """Hold the servers of a run, and the environment in which its processes find them."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.redis = EmbeddedRedis()
        self.redis.start()
        self.redis_proxy = Proxy(self.redis.path)
        self.redis_proxy.start()
        self.postgres: Postgres | None = None
        self.database_proxy: Proxy | None = None
        if database == "postgres":
            place = Path(servers._make_folder())
            self.postgres = Postgres(place)
            self.postgres.start()
            self.postgres.say(f"CREATE DATABASE {DATABASE_NAME}")
            self.database_proxy = Proxy(f"{place}/.s.PGSQL.5432")
            self.database_proxy.start()

    def environment(self) -> dict[str, str]:
        """Return what tests/settings.py and the ledger read."""
        host = {"AGENDA_TEST_DB_HOST": str(self.folder), "AGENDA_TEST_DB_NAME": DATABASE_NAME}
        if self.database_proxy is not None:
            host["AGENDA_TEST_DB_HOST"] = "127.0.0.1"
            host |= {"PGPORT": str(self.database_proxy.port)}
            host |= {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
        return {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "AGENDA_TEST_DB": self.database,
            "AGENDA_TEST_REDIS": f"redis://127.0.0.1:{self.redis_proxy.port}/0",
            "AGENDA_CHAOS_LEDGER": str(self.ledger),
            **host,
        }

    def lock_sqlite(self) -> sqlite3.Connection | None:
        """Take the one lock for writing, and return who has it; a frozen worker may have it."""
        path = self.folder / DATABASE_NAME
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.1)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """End the servers; what they held is gone."""
        self.redis_proxy.stop()
        self.redis.stop()
        if self.database_proxy is not None:
            self.database_proxy.stop()
        if self.postgres is not None:
            self.postgres.crash()
            shutil.rmtree(self.postgres.folder, ignore_errors=True)


def enter(environment: dict[str, str]) -> None:
    """Become a process of that environment: Django, with every table."""
    for name in ("PYTEST_VERSION", "AGENDA_TEST_OWNER", "AGENDA_TEST_MISSING"):
        os.environ.pop(name, None)
    os.environ |= environment
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def versions(ground: Ground) -> list[str]:
    """Return what the servers call themselves."""
    import redis

    with redis.Redis(unix_socket_path=ground.redis.path, decode_responses=True) as client:
        told: Any = client.info("server")
    name = "Valkey" if "valkey_version" in told else "Redis"
    found = [f"{name} {told.get('valkey_version') or told['redis_version']}"]
    if ground.postgres is not None:
        found.append(f"PostgreSQL {ground.postgres.say('SHOW server_version')[0][0].split()[0]}")
    return found
