"""Time-ordered ids (UUID version 7, RFC 9562 section 5.7)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django_agenda.clock import unix_ms

_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)
_RANDOM_BITS = ((1 << 76) - 1) & ~(0b11 << 62)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7() -> UUID:
    """Return a new id that sorts after those of earlier milliseconds."""
    return UUID(hex=uuid7_hexes(1)[0])


def uuid7_hexes(count: int) -> list[str]:
    """Return that many new ids as 32 hexadecimal digits each, for the rows of one statement."""
    noise = os.urandom(10 * count)
    stamp = (unix_ms() << 80) | _VERSION_AND_VARIANT
    return [
        f"{stamp | (int.from_bytes(noise[at : at + 10], 'big') & _RANDOM_BITS):032x}"
        for at in range(0, 10 * count, 10)
    ]


def first_uuid7(moment: datetime) -> UUID:
    """Return the lowest id of that millisecond: what was made before sorts before it."""
    milliseconds = max(0, (moment - _EPOCH) // timedelta(milliseconds=1))
    return UUID(int=(milliseconds << 80) | _VERSION_AND_VARIANT)
