"""How long a body may take, and how long after its moment it may start."""

from __future__ import annotations

import math
from datetime import timedelta


def read_duration(option: str, value: object) -> timedelta | None:
    """Return a positive timedelta from a timedelta or a number of seconds; None stays None."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{option!r} must be finite, not {value!r}")
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta):
        raise TypeError(f"{option!r} must be a timedelta or a number of seconds, not {value!r}")
    if value <= timedelta(0):
        raise ValueError(f"{option!r} must be positive, not {value!r}")
    return value
