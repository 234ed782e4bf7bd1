"""Values that are never shown, whoever looks: found by their names, and by what tasks declare."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext

from django_agenda.exceptions import UnknownTask
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule
from django_agenda.tasks.registry import lookup, registered
from django_agenda.tasks.secrets import HIDDEN, is_secret, positional_names
from django_agenda.tasks.task import Task

_LONGEST = 20_000
_BRIEF = 60
_NONE = ("[]", "{}")

# In running text `key` alone says too little: "KeyError: 'name'" must stay readable. What comes
# before the word is not asked for, and what follows it has a limit: texts can be long, such as an
# image in an argument, and whatever could begin anywhere would be tried everywhere.
_IN_TEXT = re.compile(
    r"""(?ix) (
          (?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key
          |authorization|credential|cookie|signature)[\w-]{0,40}
          ["']? \s{0,9} [=:] \s* (?:(?:basic|bearer|token)\s+)?
        ) ("[^"]*"|'[^']*'|[^\s,;)}\]]+)"""
)
_IN_URL = re.compile(r"(://[^\s/:@]*:)[^\s/]+@")


def arguments(execution: Execution | Schedule) -> tuple[str, str]:
    """Return the positional and the keyword arguments as JSON, what is secret hidden.

    Nobody can tell what a task that is not known here has declared secret: all of it is hidden.
    What cannot be decoded (see models.unread.read_rows) is said to be so.
    """
    task = _known_task(execution.task_name)
    try:
        given, named = execution.args, execution.kwargs
    except ValueError:
        return unreadable(), _NONE[1]
    if task is None:
        return _written([HIDDEN] * len(given)), _written(dict.fromkeys(named, HIDDEN))
    parameters = positional_names(task, len(given))
    args = [
        HIDDEN
        if place < len(parameters) and is_secret(parameters[place], task.redact)
        else clean(value, task.redact)
        for place, value in enumerate(given)
    ]
    return _written(args), _written(clean(named, task.redact))


def brief(execution: Execution) -> str:
    """Return the arguments on one line, what is secret hidden, cut off where it is too long."""
    args, kwargs = (" ".join(part.split()) for part in arguments(execution))
    words = " ".join(part for part in (args, kwargs) if part not in _NONE)
    return words if len(words) <= _BRIEF else f"{words[:_BRIEF]}…"


def result(execution: Execution) -> str:
    """Return the return value as JSON, what is secret hidden."""
    task = _known_task(execution.task_name)
    try:
        value = execution.return_value
    except ValueError:
        return unreadable()
    if task is None:
        return _written(None if value is None else HIDDEN)
    return _written(clean(value, task.redact))


def unreadable() -> str:
    """Return what stands for a value that this version cannot decode."""
    return gettext("Cannot be decoded: written by a newer version, or changed in the database.")


def clean(value: Any, names: Collection[str] = ()) -> Any:
    """Return a JSON value with the values of secret names replaced, at every depth."""
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if is_secret(str(name), names) else clean(inner, names)
            for name, inner in value.items()
        }
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Sequence):
        return [clean(inner, names) for inner in value]
    return value


def text(words: str) -> str:
    """Return text with what follows the name of a secret replaced, and passwords in URLs."""
    return _IN_URL.sub(rf"\1{HIDDEN}@", _IN_TEXT.sub(rf"\1{HIDDEN}", words))


def _known_task(name: str) -> Task[..., Any] | None:
    """Return the task of that name, unless a module would have to be imported to find it."""
    if name not in registered() and name.rpartition(".")[0] not in sys.modules:
        return None
    try:
        return lookup(name)
    except UnknownTask:
        return None


def _written(value: Any) -> str:
    words = json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}\n…"
