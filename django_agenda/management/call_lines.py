"""Calls as lines of JSON: read in constant memory, and refused by the number of their line."""

from __future__ import annotations

import inspect
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.management.base import CommandError

from django_agenda.conf import get_settings
from django_agenda.exceptions import UnknownTask
from django_agenda.tasks.call import Call, check_key, labels_text
from django_agenda.tasks.payload import decode, encode_arguments
from django_agenda.tasks.registry import resolve
from django_agenda.tasks.task import Task

_NAMES = ("task", "args", "kwargs", "key", "labels")
_SHOWN = 100


class CallLines:
    """Read the calls of a text, one JSON object a line; empty lines are none.

    `task` names the task of lines that name none. `read` counts the calls that were given.
    """

    def __init__(self, lines: Iterable[str], task: str | None = None) -> None:
        self._lines = lines
        self._task = task
        self._known: dict[str, tuple[Task[..., Any], inspect.Signature]] = {}
        self._most = get_settings().MAX_PAYLOAD_BYTES
        self.read = 0

    def __iter__(self) -> Iterator[Call]:
        """Give the calls; raise CommandError naming the line that is none, and its value."""
        for number, line in enumerate(self._lines, 1):
            if not line.strip():
                continue
            try:
                call = self._call(line)
            except (TypeError, ValueError, UnknownTask, RecursionError) as error:
                shown = line.strip()
                shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
                raise CommandError(
                    f"Line {number}: {error}: {shown}\nNothing was written."
                ) from error
            self.read += 1
            yield call

    def _call(self, line: str) -> Call:
        found = decode(line)
        if not isinstance(found, dict):
            raise TypeError("a call is a JSON object")
        if "at" in found:
            raise ValueError("'at' is not for a scatter, which gives the times itself")
        for name in found:
            if name not in _NAMES:
                raise ValueError(f"a call has no {name!r}, it has {', '.join(_NAMES)}")
        task, signature = self._resolved(found.get("task") or self._task)
        args, kwargs = found.get("args", []), found.get("kwargs", {})
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise TypeError("'args' must be a list, and 'kwargs' an object")
        signature.bind(*args, **kwargs)
        encode_arguments(args, kwargs, max_bytes=self._most)
        labels = found.get("labels", [])
        labels_text(labels)
        return Call(task, args, kwargs, check_key(found.get("key")), None, labels)

    def _resolved(self, name: object) -> tuple[Task[..., Any], inspect.Signature]:
        if not isinstance(name, str):
            raise TypeError(f"'task' must be a dotted path, not {name!r}")
        if name not in self._known:
            task = resolve(name)
            self._known[name] = (task, task.signature())
        return self._known[name]


@contextmanager
def rewindable(stream: IO[str]) -> Iterator[IO[str]]:
    """Give what can be read twice: the stream, or a copy on disk of what comes by a pipe."""
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8") as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy
