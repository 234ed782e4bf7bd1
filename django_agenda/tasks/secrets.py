"""Which values are never shown: known by their names, and by what tasks declare."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.utils.module_loading import import_string

from django_agenda.conf import get_settings

from .task import POSITIONAL, Task

HIDDEN = "••••••••"

# Without the values of shorter ones a text would be unreadable, and they are easily guessed.
_SHORTEST = 6
_NAMES = re.compile(
    r"pass(?:word|wd|phrase|code)?|pwd|token|secret|key|signature|authori[sz]ation|auth\b"
    r"|cookie|session|credential|api|private|bearer",
    re.IGNORECASE,
)


def is_secret(name: str, names: Collection[str] = ()) -> bool:
    """Tell whether the value of that name is never shown."""
    return name in names or _NAMES.search(name) is not None or _is_declared(name)


def _is_declared(name: str) -> bool:
    """Ask the project's REDACT; when that cannot be asked, everything is secret."""
    path = get_settings().REDACT
    try:
        return path is not None and bool(import_string(path)(name))
    except Exception:  # noqa: BLE001
        return True


def positional_names(task: Task[..., Any], count: int) -> Sequence[str]:
    """Return the names of the parameters that so many positional arguments fill, in their order.

    Those that `*names` takes all have its name.
    """
    names: list[str] = []
    for parameter in task.signature().parameters.values():
        if parameter.kind in POSITIONAL:
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            names += [parameter.name] * (count - len(names))
    return names


def secrets_of(task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """Return, as texts, the secret values of a call's arguments: the longest first."""
    named = [*zip(positional_names(task, len(args)), args, strict=False), *kwargs.items()]
    found = set(_found(named, task.redact, is_hidden=False))
    return sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)


def without(text: str, secrets: Sequence[str]) -> str:
    """Return the text with these values hidden, as they are and as repr() writes them."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN).replace(repr(secret)[1:-1], HIDDEN)
    return text


def _found(
    named: Collection[tuple[Any, Any]], names: Collection[str], *, is_hidden: bool
) -> Iterator[str]:
    for name, value in named:
        hides = is_hidden or is_secret(str(name), names)
        if isinstance(value, Mapping):
            yield from _found(value.items(), names, is_hidden=hides)
        elif isinstance(value, (list, tuple)):
            yield from _found([("", inner) for inner in value], names, is_hidden=hides)
        elif hides and value is not None and not isinstance(value, bool):
            yield str(value)
