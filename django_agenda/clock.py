"""The one place that reads the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

monotonic = time.monotonic


def now() -> datetime:
    """Return this machine's present moment, aware and in UTC."""
    return datetime.now(UTC)


def unix_ms() -> int:
    """Return this machine's present moment in whole milliseconds since 1970."""
    return time.time_ns() // 1_000_000
