"""The one place that reads the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

monotonic = time.monotonic

_MILLISECOND = timedelta(milliseconds=1)
_correction = timedelta(0)


def now() -> datetime:
    """Return this machine's present moment, aware and in UTC; see correct()."""
    return datetime.now(UTC) + _correction


def unix_ms() -> int:
    """Return this machine's present moment in whole milliseconds since 1970; see correct()."""
    return time.time_ns() // 1_000_000 + _correction // _MILLISECOND


def correct(by: timedelta) -> None:
    """Add this to what the machine says from now on, in this process: its clock is wrong."""
    global _correction  # noqa: PLW0603
    _correction += by
