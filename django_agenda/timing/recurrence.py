"""The rules of schedules other than cron, and what is common to all rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from .window import MICROSECOND

_FIRST_LOOK = timedelta(minutes=1)


class Rule(Protocol):
    """Give ticks: moments in UTC, each later than the one before."""

    def after(self, moment: datetime) -> datetime | None:
        """Return the first tick after an aware moment; None when there is no more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Tick on a grid: `anchor`, and every `length` after it."""

    length: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.length <= timedelta(0):
            seconds = f"{self.length.total_seconds():g}"
            raise ValueError(f"An interval must be a positive duration, not {seconds} seconds")

    def after(self, moment: datetime) -> datetime | None:
        """See Rule."""
        steps = max(0, (moment - self.anchor) // self.length + 1)
        try:
            return (self.anchor + self.length * steps).astimezone(UTC)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Tick at one moment only."""

    at: datetime

    def after(self, moment: datetime) -> datetime | None:
        """See Rule."""
        return self.at if self.at > moment else None


def ticks_after(rule: Rule, moment: datetime, until: datetime | None = None) -> Iterator[datetime]:
    """Give the ticks after a moment, up to and with `until`."""
    tick = rule.after(moment)
    while tick is not None and (until is None or tick <= until):
        yield tick
        tick = rule.after(tick)


def last_ticks(rule: Rule, since: datetime, until: datetime, limit: int) -> list[datetime]:
    """Return the last so many ticks after `since` and up to `until`, in order.

    The work grows with `limit` and not with the time between: an outage may have lasted a year.
    """
    span = _FIRST_LOOK
    while True:
        begin = max(since, until - span)
        ticks = list(ticks_after(rule, begin, until))
        if begin == since or len(ticks) >= limit:
            return ticks[-limit:] if limit else []
        span *= 4


def jittered(tick: datetime, before: datetime | None, jitter: timedelta, seed: str) -> datetime:
    """Move a tick to a random moment at most `jitter` later, and before the next tick.

    The same seed and tick give the same moment, in whatever process.
    """
    most = jitter if before is None else min(jitter, before - tick - MICROSECOND)
    return tick + most * Random(f"{seed} {tick.isoformat()}").random()
