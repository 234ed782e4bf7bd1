"""Read a moment that somebody gives."""

from __future__ import annotations

from datetime import UTC, datetime


def aware(name: str, moment: object) -> datetime:
    """Return the moment in UTC, or raise a TypeError or ValueError that shows it."""
    if not isinstance(moment, datetime):
        raise TypeError(f"{name!r} must be an aware datetime, not {moment!r}")
    if moment.utcoffset() is None:
        raise ValueError(f"{name!r} must be an aware datetime, {moment!r} is naive")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(
            f"{name!r} must lie within the years 1 to 9999 of UTC: {moment!r}"
        ) from None
