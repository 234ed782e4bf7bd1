"""Which gates a call has to pass: one for each policy of its task, and value of its `by`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from .arguments import read_arguments
from .canonical import canonical
from .payload import encode_result
from .secrets import HIDDEN, is_secret
from .task import Task

_SHOWN = 60
_MOST_LABEL = 255


class Key(NamedTuple):
    """Name a gate: `id` is 32 hexadecimal digits, `label` what people read, without secrets."""

    kind: str
    id: str
    task_name: str
    label: str


def gates_of(task: Task[..., Any], args: str, kwargs: str) -> dict[str, Key]:
    """Return the gates of a call by the name of the policy; its arguments are JSON texts.

    A default counts as given, and an argument that is missing as None. Values that are equal as
    JSON have one gate.
    """
    if task.policies is None:
        return {}
    keys: dict[str, Key] = {}
    given: Mapping[str, Any] | None = None
    for kind, policy in task.policies._asdict().items():
        if policy is None:
            continue
        values: list[Any] = []
        if policy.names:
            given = read_arguments(task, args, kwargs) if given is None else given
            values = [_in_one_form(given.get(name)) for name in policy.names]
        keys[kind] = _key(kind, task, policy.names, values)
    return keys


def _key(kind: str, task: Task[..., Any], names: Sequence[str], values: Sequence[Any]) -> Key:
    text = json.dumps([kind, task.name, list(names), list(values)], ensure_ascii=True)
    label = ", ".join(
        f"{name} {_shown(name, value, task)}" for name, value in zip(names, values, strict=True)
    )
    # MariaDB takes nothing for a UUID that does not say of which version it is.
    id_ = UUID(bytes=blake2b(text.encode(), digest_size=16).digest(), version=5)
    return Key(kind, id_.hex, task.name, label[:_MOST_LABEL])


def _in_one_form(value: Any) -> Any:
    try:
        return canonical(encode_result(value))
    except (TypeError, ValueError):
        # Only a default can be that, and its repr may differ in every process.
        return "the default"


def _shown(name: str, value: Any, task: Task[..., Any]) -> str:
    if is_secret(name, task.redact):
        return HIDDEN
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
        value = next(iter(value.values()))
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
