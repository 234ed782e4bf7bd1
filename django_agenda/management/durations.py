"""Durations as options write them: 90s, 15m, 12h, 30d, 2w."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta

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
