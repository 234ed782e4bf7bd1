"""How long after a start of a task others are skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from .by import read_by
from .timeout import read_duration

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Run the first, and skip those that come within `window` of its start.

    `window` is a timedelta or seconds; `by` keeps the values of it apart. What was skipped says so,
    and a retry is no new one.
    """

    window: timedelta | float
    by: str | tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if read_duration("window", self.window) is None:
            raise TypeError("The 'window' of a Cooldown must be a timedelta or a number of seconds")
        read_by(self.by)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in `by`."""
        return read_by(self.by)

    @property
    def window_us(self) -> int:
        """Return the window in microseconds."""
        window = read_duration("window", self.window)
        assert window is not None  # noqa: S101
        return window // _MICROSECOND

    @classmethod
    def read(cls, value: object) -> Cooldown:
        """Return the cooldown that an option stands for: itself, or a duration."""
        if isinstance(value, cls):
            return value
        window = read_duration("cooldown", value)
        assert window is not None  # noqa: S101
        return cls(window)
