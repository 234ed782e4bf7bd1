"""What is told of an error, which may refuse to be told."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from django_agenda.models import errors
from django_agenda.tasks.payload import decode
from django_agenda.tasks.secrets import secrets_of, without

from .claim import Claim

_PROJECT_FRAMES = 5
_RUNNER = str(Path(__file__).with_name("runner.py"))


def is_kind(error: BaseException, kind: type[BaseException]) -> bool:
    """Tell whether it is of this kind; an error may answer isinstance() with another error."""
    return issubclass(type(error), kind)


def shown(failure: BaseException) -> str:
    """Return an error in a few words."""
    try:
        return errors.storable(repr(failure), 500)
    except BaseException:  # noqa: BLE001
        return type(failure).__name__


def secrets_in(claim: Claim) -> list[str]:
    """Return what of a claim's arguments is never shown."""
    try:
        return secrets_of(claim.task, decode(claim.args), decode(claim.kwargs))
    except Exception:  # noqa: BLE001
        return []  # these arguments never came to the body


def described(error: BaseException, secrets: Sequence[str]) -> tuple[str, str, list[str], str]:
    """Return class, message, frames and traceback, of an error that may refuse to be printed."""
    try:
        name = errors.storable(errors.class_name(type(error)), 255)
    except BaseException:  # noqa: BLE001
        name = "Exception"
    try:
        message = errors.storable(without(str(error), secrets), errors.MAX_MESSAGE)
    except BaseException as failure:  # noqa: BLE001
        message = f"(its message cannot be printed: {type(failure).__name__})"
    try:
        stack = [
            one for one in traceback.extract_tb(error.__traceback__) if one.filename != _RUNNER
        ]
        frames = [f"{frame.filename}:{frame.name}" for frame in stack[-_PROJECT_FRAMES:]]
        text = "".join(traceback.format_exception(error, limit=-50, chain=_is_short(error)))
        return name, message, frames, errors.storable(without(text, secrets), errors.MAX_TRACEBACK)
    except BaseException as failure:  # noqa: BLE001
        return name, message, [], f"(its traceback cannot be printed: {type(failure).__name__})"


def _is_short(error: BaseException) -> bool:
    """Tell whether the chain of causes is short enough to be printed."""
    seen = 0
    cause: BaseException | None = error
    while cause is not None and seen < 20:
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return cause is None
