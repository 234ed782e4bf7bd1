"""Durations as options write them: 90s, 15m, 12h, 30d, 2w."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from django.utils.dateparse import parse_duration

from django_agenda.conf import LONGEST

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def duration(text: str) -> timedelta:
    """Read a number with its unit; one without would be days to one and seconds to the other."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"must be a number and one of s, m, h, d, w, as in 30d: {text!r}")
    try:
        wait = timedelta(**{_UNITS[found[2]]: float(found[1])})
    except OverflowError:
        wait = timedelta.max
    if wait > LONGEST:
        raise ArgumentTypeError(f"must be at most a thousand years, not {text!r}")
    return wait


def window(text: str) -> timedelta:
    """Read the length of a window: as above, as ISO 8601 (PT50M), 00:50:00, or in seconds."""
    if _FORM.fullmatch(text):
        return duration(text)
    try:
        found = parse_duration(text)
    except (OverflowError, ValueError):
        found = None
    if found is None or abs(found) > LONGEST:
        raise ArgumentTypeError(f"must be a duration such as 50m, PT50M or 3000, not {text!r}")
    return found


def moment(text: str) -> datetime:
    """Read a moment as ISO 8601 writes it; one that does not say its zone is refused."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ArgumentTypeError(
            f"must be a moment with its offset, as in 2030-01-31T09:00+01:00, not {text!r}"
        )
    return found


def period(text: str) -> timedelta:
    """Read a duration after which something is done again."""
    found = duration(text)
    if not found:
        raise ArgumentTypeError(f"must be more than 0: {text!r}")
    return found


def in_words(seconds: float | None) -> str:
    """Return a duration as short as it can be read; a dash for none."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"
