"""Read the moments that people give, and lay many on an even spread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import repeat

from django_agenda.clock import now
from django_agenda.timing.spread import spread
from django_agenda.timing.window import Window


def check_over(over: timedelta) -> timedelta:
    """Return it, or raise unless it is a positive timedelta that does not lead past 9999."""
    return Window(start=now(), over=over).over


def at_once_or_over(
    count: int, over: timedelta | None, start: datetime | None = None
) -> Iterator[datetime]:
    """Give so many moments: all now, or spread evenly over the time from `start` (now)."""
    moment = now()
    if over is None:
        return repeat(moment, count)
    return spread_over(count, moment if start is None else start, over)


def spread_over(count: int, start: datetime, over: timedelta) -> Iterator[datetime]:
    """Give so many moments in a window, evenly, as a scatter would."""
    window = Window(start=start, over=over)
    return (window.at(slot.slot_us) for slot in spread(count, window))
