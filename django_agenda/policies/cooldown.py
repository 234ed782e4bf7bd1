"""How long after a start of a task others are skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from .by import read_by
from .timeout import read_needed

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
        read_needed("window", self.window, "Cooldown")
        read_by(self.by)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in `by`."""
        return read_by(self.by)

    @property
    def window_us(self) -> int:
        """Return the window in microseconds."""
        return read_needed("window", self.window, "Cooldown") // _MICROSECOND

    @classmethod
    def read(cls, value: object) -> Cooldown:
        """Return the cooldown that an option stands for: itself, or a duration."""
        if isinstance(value, cls):
            return value
        return cls(read_needed("cooldown", value, "task"))
