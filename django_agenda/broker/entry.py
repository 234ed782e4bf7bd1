"""What the broker keeps of an execution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Entry(NamedTuple):
    """Name an execution and its moment; `id` is 32 hexadecimal digits."""

    id: str
    queue_name: str
    due_ms: int
    priority: int


def due_ms(moment: datetime) -> int:
    """Return the milliseconds since 1970, rounded up: nothing may start early."""
    return -((_EPOCH - moment) // _MILLISECOND)
