"""The rule of a cron expression, in a time zone.

The expressions are those of cronsim, which follows Debian's cron: five fields or six (seconds
first), names, ranges, steps, `L`, `LW`, `5L`, `1#2`; and the family of `@daily`. When clocks are
changed, an expression with fixed minutes and hours fires once: at the first minute that exists
when its own was left out, and at the first of the two when it came twice. One with `*` in its
minutes or hours, or with seconds, goes by the clock on the wall: it has no tick in an hour that is
left out, and ticks in both when an hour comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

NICKNAMES: Final = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}
MAX_EXPRESSION = 255
LAST: Final = -1
LAST_WORKDAY: Final = -2
_LAST_DAYS = {CronSim.LAST: LAST, CronSim.LAST_WEEKDAY: LAST_WORKDAY}
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class Weekday(NamedTuple):
    """Hold a day of the week (0 is Sunday), and which of the month's if not each: 1 to 5, LAST."""

    day: int
    nth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Hold what the fields of a cron expression stand for.

    `days` may have LAST and LAST_WORKDAY among them. `needs_both` tells whether a moment must
    meet `days` and `weekdays`, or one of them.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[Weekday]
    needs_both: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """Give the moments of a cron expression; raise ValueError for one that is wrong.

    `expression` is kept as `normal_expression` writes it, `zone` is the key of a time zone.
    """

    expression: str
    zone: str = "UTC"
    _tz: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", normal_expression(self.expression))
        object.__setattr__(self, "_tz", read_zone(self.zone))
        if self.after(_SOME_DAY) is None:
            raise ValueError(f"The cron expression {self.expression!r} has no tick at all")

    def after(self, moment: datetime) -> datetime | None:
        """Return the first tick after an aware moment, in UTC; None when there is no more."""
        try:
            ticks = CronSim(self.expression, moment.astimezone(self._tz))
            for tick in ticks:
                # In the second of two equal hours cronsim counts from the first one.
                if (found := tick.astimezone(UTC)) > moment:
                    return found
        except (OverflowError, ValueError):  # beyond the year 9999
            return None
        return None

    @property
    def fields(self) -> Fields:
        """Return what its fields stand for."""
        read = CronSim(self.expression, _SOME_DAY)
        days = {_LAST_DAYS.get(day, day) for day in read.days}
        weekdays = {
            Weekday(one % 7) if isinstance(one, int) else Weekday(one[0] % 7, max(one[1], LAST))
            for one in read.weekdays
        }
        return Fields(
            seconds=frozenset(read.seconds),
            minutes=frozenset(read.minutes),
            hours=frozenset(read.hours),
            days=frozenset(days),
            months=frozenset(read.months),
            weekdays=frozenset(weekdays),
            needs_both=read.day_and,
        )


def normal_expression(expression: object) -> str:
    """Return an expression in capitals, single spaces, and fields; or raise ValueError."""
    if not isinstance(expression, str):
        raise ValueError(f"A cron expression must be a text, not {expression!r}")  # noqa: TRY004
    words = " ".join(expression.upper().split())
    normal = NICKNAMES.get(words, words)
    try:
        CronSim(normal, _SOME_DAY)
    except CronSimError as error:
        raise ValueError(f"{expression!r:.300} is no cron expression: {error}") from None
    if len(normal) > MAX_EXPRESSION:
        raise ValueError(
            f"A cron expression has at most {MAX_EXPRESSION} characters, not {len(normal)}"
        )
    return normal


def read_zone(zone: str) -> tzinfo:
    """Return the time zone of that key, or raise ValueError."""
    if zone == "UTC":
        return UTC
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"There is no time zone {zone!r:.100}") from None
