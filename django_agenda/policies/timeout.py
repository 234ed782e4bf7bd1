"""How long a body may take, and how long after its moment it may start."""

from __future__ import annotations

import math
from datetime import timedelta

# Databases without a type for it keep whole microseconds in 64 bits.
_LONGEST = timedelta(microseconds=2**63 - 1)


def read_duration(option: str, value: object) -> timedelta | None:
    """Return a positive timedelta from a timedelta or a number of seconds; None stays None."""
    if value is None:
        return None
    wait = value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{option!r} must be finite, not {value!r}")
        try:
            wait = timedelta(seconds=value)
        except OverflowError:
            raise ValueError(f"{option!r} is too long: {value!r} seconds") from None
    if not isinstance(wait, timedelta):
        raise TypeError(f"{option!r} must be a timedelta or a number of seconds, not {value!r}")
    if wait <= timedelta(0):
        raise ValueError(f"{option!r} must be positive, not {in_words(value)}")
    return wait


def read_stored(option: str, value: object) -> timedelta | None:
    """Return what read_duration() does, if a column can hold it."""
    wait = read_duration(option, value)
    if wait is not None and wait > _LONGEST:
        raise ValueError(f"{option!r} is too long: {in_words(value)}")
    return wait


def read_needed(option: str, value: object, whose: str) -> timedelta:
    """Return such a timedelta of what cannot be left out of a policy."""
    wait = read_duration(option, value)
    if wait is None:
        raise TypeError(f"The {option!r} of a {whose} must be a timedelta or a number of seconds")
    return wait


def in_words(value: object) -> str:
    """Return a duration as people write it: timedelta's repr counts days down from the next."""
    if isinstance(value, timedelta):
        return f"timedelta(seconds={value.total_seconds():.15g})"
    return repr(value)
