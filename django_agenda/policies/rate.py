"""How many executions of a task start in any stretch of time."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from .by import read_by, read_count
from .timeout import read_needed

MOST = 10_000
_MICROSECOND = timedelta(microseconds=1)


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
        read_needed("per", self.per, "Rate")
        read_by(self.by)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in `by`."""
        return read_by(self.by)

    @property
    def per_us(self) -> int:
        """Return the stretch in microseconds."""
        return self._per // _MICROSECOND

    @property
    def tolerance_us(self) -> int:
        """Return how many microseconds later than its moment a body may begin.

        One that would begin even later is judged anew. A tenth of `per`, from 0.1 to 1 s. Promised
        moments lie by as much further apart: what is a little late then puts off nobody.
        """
        return min(max(self.per_us // 10, 100_000), 1_000_000)

    @property
    def _per(self) -> timedelta:
        return read_needed("per", self.per, "Rate")

    @classmethod
    def read(cls, value: object) -> Rate:
        """Return the rate that an option stands for."""
        if isinstance(value, cls):
            return value
        raise TypeError(f"'rate' must be a Rate, such as Rate(10, per=1), not {value!r}")


class Starts:
    """Know the last starts, each by the latest moment at which it can have been.

    When the n-th last of them was at least `per` ago, one more makes no stretch of `per` hold more
    than n of them, whenever exactly they were.
    """

    def __init__(self, rate: Rate, moments: Iterable[int] = ()) -> None:
        self._rate = rate
        self.moments = sorted(moments)[-rate.n :]

    def opens(self) -> int:
        """Return from when on one more may start."""
        if len(self.moments) < self._rate.n:
            return 0
        return self.moments[0] + self._rate.per_us

    def add(self, latest: int) -> None:
        """Take one more."""
        insort(self.moments, latest)
        del self.moments[: -self._rate.n]

    def count_since(self, moment: int) -> int:
        """Return how many of them may have been after that moment."""
        return len(self.moments) - bisect_right(self.moments, moment)


def corrected(moments: Sequence[int], latest: int, began: int | None) -> list[int]:
    """Return them with the moment at which one has really begun; None is never."""
    known = list(moments)
    if latest in known:
        known.remove(latest)
        if began is not None:
            insort(known, began)
    return known
