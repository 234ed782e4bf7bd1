"""A task and its arguments, not yet given a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

MAX_KEY = 255
MAX_LABEL = 64


class Call(NamedTuple):
    """Hold what is to be called; `task` is a task, a function or a dotted path.

    `at` is for `schedule_many`: a scatter gives its calls their times itself.
    """

    task: Any
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    key: str | None = None
    at: datetime | None = None
    labels: Sequence[str] = ()


def point_at(error: Exception, number: int, call: Call) -> None:
    """Say in an error which call of many it is about: in its message, or else in a note.

    The message of UnknownTask is promised to be what it is.
    """
    place = f"call number {number}, counted from 0: {_name_of(call.task):.255}"
    if isinstance(error, TypeError | ValueError):
        error.args = (f"{error} ({place})",)
    else:
        error.add_note(f"It is {place}")


def _name_of(task: Any) -> str:
    if hasattr(task, "__qualname__"):
        return f"{task.__module__}.{task.__qualname__}"
    return str(task)


def check_key(key: str | None) -> str | None:
    """Return the key, or raise when it is not a text of 1 to 255 characters."""
    if key is None:
        return None
    if not isinstance(key, str):
        raise TypeError(f"'key' must be a text, not {key!r}")
    if not 1 <= len(key) <= MAX_KEY:
        raise ValueError(f"'key' must have 1 to {MAX_KEY} characters, not {len(key)}")
    if not is_storable(key):
        raise ValueError(f"'key' must hold no NUL and no half of a surrogate pair: {key!r:.80}")
    return key


def labels_text(*groups: Sequence[str]) -> str:
    """Return labels as the column keeps them: each once, in order; none are an empty text."""
    labels: dict[str, None] = {}
    for group in groups:
        if isinstance(group, str) or not isinstance(group, Sequence):
            raise TypeError(f"'labels' must be a list or tuple of words, not {group!r}")
        for label in group:
            if not isinstance(label, str):
                raise TypeError(f"A label must be a text, not {label!r}")
            if not 1 <= len(label) <= MAX_LABEL or not is_storable(label):
                raise ValueError(
                    f"A label must have 1 to {MAX_LABEL} printable characters: {label!r:.80}"
                    f" has {len(label)}"
                )
            labels[label] = None
    return json.dumps(list(labels), ensure_ascii=False) if labels else ""


def is_storable(text: str) -> bool:
    """Tell whether every database takes it: no NUL, and no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
