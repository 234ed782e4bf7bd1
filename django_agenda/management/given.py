"""Options as `call_command()` hands them on: texts and numbers that no parser has read."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError


def given(options: Mapping[str, Any], **readers: Callable[[str], Any]) -> dict[str, Any]:
    """Return the options, with those that have a reader as their parser gives them."""
    return {**options, **{name: _read(name, options[name], readers[name]) for name in readers}}


def several(value: Any) -> list[Any]:
    """Return what an option that may be repeated was given, be it one text or a list."""
    return [value] if isinstance(value, str) else list(value or ())


def _read(name: str, value: Any, reader: Callable[[str], Any]) -> Any:
    if value is None or isinstance(value, timedelta | datetime):
        return value
    try:
        return reader(str(value))
    except ArgumentTypeError as error:
        raise CommandError(f"--{name.replace('_', '-')}: {error}") from None
