"""What a schedule is: its task, rule and arguments, by which it is known, and its options.

Everything is checked here, before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from hashlib import sha256
from typing import Any

from django.conf import settings as django_settings

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.schedule import Schedule
from django_agenda.policies.timeout import read_stored
from django_agenda.tasks.canonical import canonical
from django_agenda.tasks.payload import encode_arguments
from django_agenda.tasks.registry import resolve
from django_agenda.tasks.schedule_options import read_options, read_text
from django_agenda.timing.aware import aware
from django_agenda.timing.cron import Cron, read_zone

_Kind = Schedule.Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Hold the columns of a schedule: those by which it is known, and those that may change."""

    fingerprint: str
    identity: dict[str, Any]
    options: dict[str, Any]
    enabled: bool


def read_definition(
    task: Any, kind: str, rule: tuple[Any, ...], options: Mapping[str, Any]
) -> Definition:
    """Check a task, a rule and options; raise UnknownTask, ValueError or TypeError."""
    given = dict(options)
    task_name = resolve(task).name
    args, kwargs, name, enabled = (
        given.pop("args", ()),
        given.pop("kwargs", None) or {},
        read_text("name", given.pop("name", None), 255),
        given.pop("enabled", True),
    )
    if not isinstance(enabled, bool):
        raise TypeError(f"'enabled' must be True or False, not {enabled!r}")
    limit = get_settings().MAX_PAYLOAD_BYTES
    args_text, kwargs_text = encode_arguments(args, kwargs, max_bytes=limit)
    columns, words = _RULES[kind](*rule)
    known_by = [task_name, kind, words, canonical(args_text), canonical(kwargs_text), name]
    checked = read_options(**given)
    if kind == _Kind.INTERVAL:
        columns["anchor"] = checked["starts_at"] or now()
    identity = {"name": name, "task_name": task_name, "args": list(args), "kwargs": dict(kwargs)}
    return Definition(
        fingerprint=sha256(json.dumps(known_by).encode()).hexdigest(),
        identity=identity | {"kind": kind} | columns,
        options=checked,
        enabled=enabled,
    )


def _cron(expression: Any, timezone: Any) -> tuple[dict[str, Any], str]:
    rule = Cron(expression, zone_key(timezone))
    columns = {"expression": rule.expression, "timezone": rule.zone}
    return columns, f"{rule.expression} {rule.zone}"


def _interval(interval: Any) -> tuple[dict[str, Any], str]:
    length = read_stored("interval", interval)
    if length is None:
        raise TypeError("'interval' must be a timedelta or a number of seconds, not None")
    return {"interval": length}, str(length // timedelta(microseconds=1))


def _once(at: Any) -> tuple[dict[str, Any], str]:
    moment = aware("at", at)
    return {"anchor": moment}, moment.isoformat()


_RULES: dict[str, Callable[..., tuple[dict[str, Any], str]]] = {
    _Kind.CRON.value: _cron,
    _Kind.INTERVAL.value: _interval,
    _Kind.ONCE.value: _once,
}


def zone_key(timezone: Any) -> str:
    """Return the key of a time zone, given as a key or a tzinfo; None is TIME_ZONE."""
    if timezone is None:
        timezone = django_settings.TIME_ZONE
    if isinstance(timezone, tzinfo):
        key = "UTC" if timezone is UTC else getattr(timezone, "key", None)
    else:
        key = timezone
    if not isinstance(key, str):
        raise ValueError(  # noqa: TRY004
            f"'timezone' must be a key such as 'Europe/Berlin' or a ZoneInfo, not {timezone!r}"
        )
    read_zone(key)
    return key
