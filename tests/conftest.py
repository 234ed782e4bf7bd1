"""What every test gets: an empty Redis, a shared database for child processes, honest skips."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.apps import apps
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck, settings

from tests import servers

WRITTEN_BY_MIGRATIONS = ("contenttypes.ContentType", "auth.Permission")
UNIT_TESTS = Path(__file__).parent / "unit"

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("agenda", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("agenda")


class RedisServer:
    """Hold the Redis server of this test process: talk to it, and hurt it."""

    def __init__(self) -> None:
        self.url = servers.redis_url()
        self.client = redis.Redis.from_url(self.url, decode_responses=True)

    @property
    def pid(self) -> int | None:
        return servers.embedded_redis.pid

    def flush(self) -> None:
        self.client.flushall()

    def kill(self) -> None:
        """End it as a crash would; what it held is lost."""
        servers.embedded_redis.kill()

    def start(self) -> None:
        """Bring it back, empty and at the same address; do nothing while it runs."""
        servers.embedded_redis.start()

    def freeze(self) -> None:
        """Make it hang: it accepts connections and answers nothing."""
        assert self.pid
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGCONT)

    def eternal_keys(self) -> list[str]:
        """Return the keys that have no time to live."""
        return sorted(key for key in self.client.scan_iter() if self.client.ttl(key) == -1)


def pytest_sessionstart() -> None:
    missing = os.environ.get("AGENDA_TEST_MISSING", "")
    if missing.startswith("AGENDA_TEST_DB_HOST"):
        pytest.exit(f"SKIP {missing}", returncode=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Those that may take longest begin, so that nobody waits for one of them at the end.
    items.sort(key=_timeout, reverse=True)
    if os.environ.get("AGENDA_TEST_DB") == "postgres":
        return
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip("runs with AGENDA_TEST_DB=postgres"))


def _timeout(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Tell the processes that tests start which database the tests use."""
    os.environ["AGENDA_TEST_DB_NAME"] = str(connection.settings_dict["NAME"])


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """Empty tables by DELETE: what Django does after a test costs PostgreSQL 30 ms more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _delete_rows)
        yield


def _delete_rows(case: TransactionTestCase) -> None:
    """Leave what the migrations have written, as Django does by writing it anew."""
    tables = [
        connection.ops.quote_name(model._meta.db_table)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.label not in WRITTEN_BY_MIGRATIONS and model._meta.managed
    ]
    with (
        connection.constraint_checks_disabled(),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.client.close()


@pytest.fixture(autouse=True)
def _empty_redis(_redis: RedisServer, request: pytest.FixtureRequest) -> Iterator[None]:
    """Start every test with an empty server that runs; without one, only the units can run."""
    if _redis.url != servers.NOWHERE:
        _redis.flush()
    elif not request.path.is_relative_to(UNIT_TESTS):
        pytest.skip(os.environ["AGENDA_TEST_MISSING"])
    yield
    if _redis.url != servers.NOWHERE:
        _redis.thaw()
        _redis.start()


@pytest.fixture
def redis_server(_redis: RedisServer) -> RedisServer:
    if _redis.url == servers.NOWHERE:
        pytest.skip(os.environ["AGENDA_TEST_MISSING"])
    return _redis


@pytest.fixture
def no_key_is_forgotten(redis_server: RedisServer) -> Iterator[None]:
    """Fail a test that leaves a key without a time to live and no unfinished execution."""
    yield
    from django_agenda.models import Execution

    keys = redis_server.eternal_keys()
    live = Execution.objects.filter(status__in=["pending", "scheduled", "running"])
    assert not keys or live.exists(), f"These keys live forever: {keys}"


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """Forget the language of the last request, which Django keeps for the thread."""
    yield
    translation.deactivate()
