"""The DJANGO_AGENDA setting over its defaults."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

# From now both ways this stays within the years that a datetime knows.
# A thread each, and a slot in shared memory.
MOST_BODIES = 10_000
LONGEST = timedelta(days=365_250)
# What agenda_dev tells its programs: the address of a private Redis, instead of the settings'.
PRIVATE_REDIS = "AGENDA_PRIVATE_REDIS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold one value for each key of DJANGO_AGENDA; durations are timedeltas or seconds.

    REDIS: an alias of CACHES (django-redis), or a redis://, rediss:// or unix:// URL.
    PREFIX: namespace of every Redis key; two projects that share a Redis need two.
    CHUNK_SIZE: rows a statement and entries a Redis call, 1 to 5000.
    MAX_PAYLOAD_BYTES: limit for the JSON of one call's arguments, and of one result.
    CONCURRENCY: bodies that one worker process runs at once, unless --concurrency says.
    LOOKAHEAD: how long before its moment a worker may claim an execution.
    MAX_BLOCK: an idle worker looks at Redis at least this often.
    HEARTBEAT: how often a worker says that it lives.
    WORKER_TTL: a worker that was silent this long is lost, and its executions are rescued.
    CARETAKER_INTERVAL: how often the caretaker looks for what needs healing.
    ENQUEUE_GRACE: how old a batch must be before the caretaker finishes its enqueueing.
    SHUTDOWN_TIMEOUT: how long a draining worker waits for what it runs.
    HARD_TIMEOUT_GRACE: a body that goes on this long after its time-out loses its process.
    RETIRE_TIMEOUT: how long a process that is to be replaced waits for its other bodies.
    MAX_CRASHES: an execution whose worker was lost this often fails.
    MAX_UNSAVED: outcomes that may wait for the database before a worker claims no more.
    MISFIRE: what becomes of what is overdue after an outage: "run" it at once, "skip" it, so that
        it is missed, or a duration over which it is scattered anew from that moment.
    MISFIRE_AFTER: how long nobody could run anything, and how much something is overdue, before
        MISFIRE applies; a backlog of living workers is no outage. A tick of a schedule that is
        fired so much too late was missed as well, and its own `misfire` says what becomes of it.
    AUDIT_INTERVAL: how often a worker compares its rows with what it really holds.
    WATCHDOG: a worker whose own parts hang this long in one step ends itself.
    STATEMENT_TIMEOUT: how long a statement of a worker's own connection may take.
    LOCK_TIMEOUT: how long such a statement waits for a lock.
    UNKNOWN_TASK_TTL: how long an execution waits for a worker that knows its task.
    HORIZON: what is due later than this from now waits in the database only; None: nothing does.
    RETENTION: how long executions are kept after they, or their batch, have ended.
    RETENTION_FAILED: the same for those that failed or were missed.
    RETENTION_BATCHES: how long the record of a batch, or an operation, is kept after its end.
    RETENTION_WORKERS: how long the row of a worker is kept after its end.
    ADMIN_READ_ONLY: the admin offers no action to anybody.
    REDACT: dotted path of a function that is told the name of a value, and tells whether it is
        secret, beside those that are so by their names or their task's `redact`.

    For HORIZON and the four RETENTION settings None is for ever.
    """

    REDIS: str = "default"
    PREFIX: str = "agenda"
    CHUNK_SIZE: int = 1000
    MAX_PAYLOAD_BYTES: int = 256 * 1024
    CONCURRENCY: int = 8
    LOOKAHEAD: timedelta = timedelta(milliseconds=250)
    MAX_BLOCK: timedelta = timedelta(seconds=5)
    HEARTBEAT: timedelta = timedelta(seconds=5)
    WORKER_TTL: timedelta = timedelta(seconds=30)
    CARETAKER_INTERVAL: timedelta = timedelta(seconds=3)
    ENQUEUE_GRACE: timedelta = timedelta(seconds=5)
    SHUTDOWN_TIMEOUT: timedelta = timedelta(seconds=25)
    HARD_TIMEOUT_GRACE: timedelta = timedelta(seconds=5)
    RETIRE_TIMEOUT: timedelta = timedelta(seconds=300)
    MAX_CRASHES: int = 3
    MAX_UNSAVED: int = 2000
    MISFIRE: str | timedelta = "run"
    MISFIRE_AFTER: timedelta = timedelta(minutes=5)
    AUDIT_INTERVAL: timedelta = timedelta(seconds=30)
    WATCHDOG: timedelta = timedelta(seconds=15)
    STATEMENT_TIMEOUT: timedelta = timedelta(seconds=10)
    LOCK_TIMEOUT: timedelta = timedelta(seconds=5)
    UNKNOWN_TASK_TTL: timedelta = timedelta(days=1)
    HORIZON: timedelta | None = None
    RETENTION: timedelta | None = None
    RETENTION_FAILED: timedelta | None = None
    RETENTION_BATCHES: timedelta | None = None
    RETENTION_WORKERS: timedelta | None = timedelta(days=7)
    ADMIN_READ_ONLY: bool = False
    REDACT: str | None = None


_OPTIONAL = {field.name for field in fields(Settings) if str(field.type).endswith("| None")}
_KINDS = {"timedelta | None": timedelta, "str | None": str}
_KEYS: dict[str, Any] = {
    field.name: _KINDS.get(str(field.type), type(field.default)) for field in fields(Settings)
}


@cache
def get_settings() -> Settings:
    """Return the project's settings; raise ImproperlyConfigured naming the key that is wrong."""
    settings, errors = read_settings()
    if errors:
        raise errors[0]
    return settings


def read_settings() -> tuple[Settings, list[ImproperlyConfigured]]:
    """Return the project's settings, without those keys that are wrong, and what is wrong."""
    given = getattr(django_settings, "DJANGO_AGENDA", {})
    if not isinstance(given, dict):
        return Settings(), [ImproperlyConfigured(f"DJANGO_AGENDA must be a dict, not {given!r}.")]
    values: dict[str, Any] = {}
    errors: list[ImproperlyConfigured] = []
    for key, value in given.items():
        try:
            values[key] = _read(key, value)
        except ImproperlyConfigured as error:
            errors.append(error)
    return Settings(**values), errors


def _read(key: Any, value: Any) -> Any:
    if key not in _KEYS:
        close = difflib.get_close_matches(str(key).upper(), _KEYS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ImproperlyConfigured(f"DJANGO_AGENDA has no key {key!r}.{hint}")
    kind = _KEYS[key]
    if (value is None and key in _OPTIONAL) or (kind is bool and isinstance(value, bool)):
        return value
    wish = value
    if key == "MISFIRE":
        if value in ("run", "skip"):
            return value
        if isinstance(value, str):
            raise ImproperlyConfigured(
                "DJANGO_AGENDA['MISFIRE'] must be 'run', 'skip', a timedelta or a number of"
                f" seconds, not {value!r}."
            )
        kind = timedelta
    if kind is timedelta and isinstance(value, int | float) and not isinstance(value, bool):
        value = _in_seconds(key, value)
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = "a timedelta or a number of seconds" if kind is timedelta else kind.__name__
        raise ImproperlyConfigured(f"DJANGO_AGENDA[{key!r}] must be {expected}, not {value!r}.")
    if not value or (kind is not str and value < kind(0)):
        raise ImproperlyConfigured(f"DJANGO_AGENDA[{key!r}] must be positive, not {wish!r}.")
    _check_most(key, value)
    return value


def _check_most(key: str, value: Any) -> None:
    if isinstance(value, timedelta) and value > LONGEST:
        raise ImproperlyConfigured(
            f"DJANGO_AGENDA[{key!r}] must be at most a thousand years, not {value!r}."
        )
    if key == "CONCURRENCY" and value > MOST_BODIES:
        raise ImproperlyConfigured(
            f"DJANGO_AGENDA['CONCURRENCY'] must be 1 to {MOST_BODIES}, not {value}."
        )
    if key == "CHUNK_SIZE" and value > 5000:
        raise ImproperlyConfigured(f"DJANGO_AGENDA['CHUNK_SIZE'] must be 1 to 5000, not {value}.")


def _in_seconds(key: str, seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise ImproperlyConfigured(
            f"DJANGO_AGENDA[{key!r}] is no duration that can be kept: {seconds!r} seconds."
        ) from None


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "DJANGO_AGENDA":
        get_settings.cache_clear()


setting_changed.connect(_forget)
