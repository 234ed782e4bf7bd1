"""Calls as people write them: one a line, a JSON list or a JSON object of arguments."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.conf import get_settings
from django_agenda.tasks.call import Call
from django_agenda.tasks.payload import decode, encode_arguments
from django_agenda.tasks.task import Task

MOST_CALLS = 10_000
_MOST_TOLD = 5
_LONGEST = 80


def read_lines(task: Task[..., Any], text: str) -> list[Call]:
    """Return a call for each line that is not empty; raise ValidationError that names the lines.

    A list holds positional arguments, an object keyword arguments; typed values are written as
    they are stored, such as {"$date": "2030-01-31"}.
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1)
        if line.strip()
    ]
    if len(lines) > MOST_CALLS:
        words = _("There are %(count)d calls, and at most %(most)d can be planned here.")
        raise ValidationError(words % {"count": len(lines), "most": MOST_CALLS})
    signature = task.signature()
    calls, wrong = [], []
    for number, line in lines:
        try:
            calls.append(_read(task, signature, line))
        except (TypeError, ValueError) as error:
            wrong.append((number, line, error))
    if wrong:
        raise ValidationError(_told(wrong))
    return calls


def read_count(task: Task[..., Any], count: int) -> list[Call]:
    """Return so many calls without arguments; raise ValidationError when the task needs some."""
    try:
        task.signature().bind()
    except TypeError as error:
        raise ValidationError(_("This task needs arguments: %s") % error) from None
    return [Call(task)] * count


def checked(
    task: Task[..., Any], signature: inspect.Signature, found: list[Any] | dict[str, Any]
) -> Call:
    """Return a call with these arguments; raise TypeError or ValueError when they do not fit."""
    call = Call(task, found, {}) if isinstance(found, list) else Call(task, (), found)
    encode_arguments(call.args, call.kwargs, max_bytes=get_settings().MAX_PAYLOAD_BYTES)
    signature.bind(*call.args, **call.kwargs)
    return call


def _read(task: Task[..., Any], signature: inspect.Signature, line: str) -> Call:
    found = decode(line)
    if not isinstance(found, list | dict):
        raise TypeError(_("a call is a JSON list or object"))
    return checked(task, signature, found)


def _told(wrong: Sequence[tuple[int, str, Exception]]) -> list[str]:
    words = _("Line %(number)d: %(value)s – %(why)s")
    told = []
    for number, line, error in wrong[:_MOST_TOLD]:
        value = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
        told.append(words % {"number": number, "value": value, "why": str(error)[:300]})
    more = len(wrong) - _MOST_TOLD
    if more > 0:
        told.append(ngettext("%d more line is wrong.", "%d more lines are wrong.", more) % more)
    return told
