"""What may be said of a schedule besides its task and its rule, checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django_agenda.policies.terms import Terms
from django_agenda.policies.timeout import read_stored
from django_agenda.timing.aware import aware

from .call import labels_text
from .task import check_priority, check_queue_name

MOST = 2**31 - 1
OVERLAPS = ("allow", "skip", "queue")
MISFIRES = ("skip", "once", "all")


def read_options(
    *,
    description: Any = "",
    labels: Sequence[str] = (),
    queue_name: str | None = None,
    priority: int | None = None,
    max_attempts: int | None = None,
    backoff: Any = None,
    timeout: Any = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    jitter: Any = None,
    max_runs: int | None = None,
    overlap: str = "skip",
    misfire: str = "once",
    catch_up: int = 100,
    over: Any = None,
) -> dict[str, Any]:
    """Return the columns of what may be said of a schedule; raise for what is wrong."""
    labels_text(labels)
    starts_at = None if starts_at is None else aware("starts_at", starts_at)
    ends_at = None if ends_at is None else aware("ends_at", ends_at)
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise ValueError(f"'ends_at' must not be before 'starts_at': {ends_at} and {starts_at}")
    return {
        "description": read_text("description", description, 10_000),
        "labels": list(labels),
        "queue_name": None if queue_name is None else check_queue_name(queue_name),
        "priority": None if priority is None else check_priority(priority),
        "max_attempts": read_count("max_attempts", max_attempts),
        "terms": Terms.read(timeout=timeout, backoff=backoff, over=over).pack(),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "jitter": None if jitter in (None, 0, timedelta(0)) else read_stored("jitter", jitter),
        "max_runs": read_count("max_runs", max_runs),
        "overlap": _one_of("overlap", overlap, OVERLAPS),
        "misfire": _one_of("misfire", misfire, MISFIRES),
        "catch_up": read_count("catch_up", catch_up) or 1,
    }


def read_text(option: str, value: Any, most: int) -> str:
    """Return a text that can be stored; None is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{option!r} must be a text, not {value!r}")
    if len(value) > most:
        raise ValueError(f"{option!r} must have at most {most} characters, not {len(value)}")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{option!r} must hold no NUL and no half of a pair: {value!r:.80}")
    return value


def read_count(option: str, value: Any) -> int | None:
    """Return a whole number from 1 that a column holds, or None."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{option!r} must be a whole number, not {value!r}")
    if not 1 <= value <= MOST:
        raise ValueError(f"{option!r} must be at least 1, not {value}")
    return value


def _one_of(option: str, value: Any, words: Sequence[str]) -> str:
    if value not in words:
        raise ValueError(f"{option!r} must be one of {', '.join(map(repr, words))}, not {value!r}")
    return str(value)
