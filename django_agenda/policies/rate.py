"""How many executions of a task start in any stretch of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from .by import read_by, read_count
from .timeout import read_duration

MOST = 10_000
_MICROSECOND = timedelta(microseconds=1)
_LEAST_SLACK, _MOST_SLACK = timedelta(milliseconds=20), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Rate:
    """Let at most `n` start in any stretch of `per` (a timedelta or seconds), over all workers.

    `by` makes that `n` for each value of it. Those that come too early are moved to the first free
    moment; a failed attempt counts as well.
    """

    n: int
    per: timedelta | float
    by: str | tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        read_count("The 'n' of a Rate", self.n, MOST)
        if read_duration("per", self.per) is None:
            raise TypeError("The 'per' of a Rate must be a timedelta or a number of seconds")
        read_by(self.by)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in `by`."""
        return read_by(self.by)

    @property
    def slack(self) -> timedelta:
        """Return how much later than its moment a body may begin: a twentieth of `per`.

        At least 20 ms and at most a second. One that would begin even later is judged anew.
        """
        return min(max(self._per / 20, _LEAST_SLACK), _MOST_SLACK)

    @property
    def gap_us(self) -> int:
        """Return after how many microseconds a start makes room for another one.

        That is `per` and the slack, since the former may have been late and the latter may not be.
        """
        return (self._per + self.slack) // _MICROSECOND

    @property
    def _per(self) -> timedelta:
        per = read_duration("per", self.per)
        assert per is not None  # noqa: S101
        return per

    @classmethod
    def read(cls, value: object) -> Rate:
        """Return the rate that an option stands for."""
        if isinstance(value, cls):
            return value
        raise TypeError(f"'rate' must be a Rate, such as Rate(10, per=1), not {value!r}")


class Starts:
    """Know the moments of starts, in microseconds, and find free ones between and after them."""

    def __init__(self, n: int, gap_us: int, moments: Iterable[int] = ()) -> None:
        self._n = n
        self._gap = gap_us
        self._moments = sorted(moments)

    def add(self, moment: int) -> None:
        """Take a start."""
        insort(self._moments, moment)

    def free(self, wanted: int) -> int:
        """Return the first moment from `wanted` on at which one more may start."""
        moment = wanted
        while (blocked := self._blocked_until(moment)) is not None:
            moment = blocked
        return moment

    def since(self, moment: int) -> list[int]:
        """Return those that still matter at that moment: the others are older than a gap."""
        return self._moments[bisect_left(self._moments, moment - self._gap) :]

    def _blocked_until(self, moment: int) -> int | None:
        """Return when the last of the stretches that are full around it is over; None is free."""
        moments, n = self._moments, self._n
        place = bisect_right(moments, moment)
        for first in range(min(place, len(moments) - n), max(0, place - n) - 1, -1):
            earliest = min(moments[first], moment)
            if max(moments[first + n - 1], moment) - earliest < self._gap:
                return moments[first] + self._gap
        return None
