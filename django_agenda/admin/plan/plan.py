"""A plan as a value: what would be scattered, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django_agenda.timing.window import Window

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold a window and the moments in it, in the order of the calls, which is that of no clock."""

    window: Window
    moments: Sequence[datetime]
    queue_name: str
    seed: int

    @property
    def fullest_minute(self) -> int:
        """Return how many calls the fullest minute has, counted from the start."""
        start = self.window.start
        counted = Counter((moment - start) // _MINUTE for moment in self.moments)
        return max(counted.values(), default=0)

    @property
    def minutes(self) -> Counter[datetime]:
        """Count the calls by minute of the clock, in UTC."""
        return Counter(
            moment.astimezone(UTC).replace(second=0, microsecond=0) for moment in self.moments
        )
