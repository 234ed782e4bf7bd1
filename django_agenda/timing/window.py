from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hold the stretch of time in which a scatter may put its calls.

    `over` is elapsed time, whatever the clocks on the wall do meanwhile, and so `start` is kept in
    UTC. Both ends belong to the window.
    """

    start: datetime
    over: timedelta

    def __post_init__(self) -> None:
        if not isinstance(self.over, timedelta):
            raise TypeError(f"'over' parameter must be a timedelta, not {_shown(self.over)}")
        if self.over <= timedelta(0):
            raise ValueError("'over' parameter must be a positive duration")
        object.__setattr__(self, "start", _in_utc("start", self.start))
        try:
            self.start + self.over
        except OverflowError:
            raise ValueError(
                f"A window from {self.start} over {self.over} would end after the year 9999"
            ) from None

    @property
    def end(self) -> datetime:
        return self.start + self.over

    @property
    def over_us(self) -> int:
        return self.over // MICROSECOND

    def contains(self, moment: datetime) -> bool:
        """Tell whether an aware moment lies in the window, its two ends included."""
        return self.start <= _in_utc("moment", moment) <= self.end

    def at(self, offset_us: int) -> datetime:
        """Give the moment so many microseconds after the start, be it in the window or not."""
        return self.start + timedelta(microseconds=offset_us)


def _shown(value: object) -> str:
    is_number = isinstance(value, int | float)
    return f"{value!r}: write timedelta(seconds={value!r})" if is_number else repr(value)


def _in_utc(name: str, moment: datetime) -> datetime:
    if not isinstance(moment, datetime):
        raise TypeError(f"'{name}' parameter must be an aware datetime, not {moment!r}")
    if moment.utcoffset() is None:
        raise ValueError(f"'{name}' parameter must be an aware datetime, {moment!r} is naive")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(
            f"'{name}' parameter must lie within the years 1 to 9999 of UTC, not {moment!r}"
        ) from None
