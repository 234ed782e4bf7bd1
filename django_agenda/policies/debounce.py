"""How long nothing more may come before one of those that came is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from .by import read_by
from .timeout import read_needed

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Debounce:
    """Run one of many, once none has come for `settle` (a timedelta or seconds); skip the others.

    `keep` says whose arguments are run: those of the "first" or of the "last" that came. `by` keeps
    the values of it apart.
    """

    settle: timedelta | float
    by: str | tuple[str, ...] | None = field(default=None, kw_only=True)
    keep: Literal["first", "last"] = field(default="first", kw_only=True)

    def __post_init__(self) -> None:
        read_needed("settle", self.settle, "Debounce")
        if self.keep not in ("first", "last"):
            raise ValueError(f"'keep' must be 'first' or 'last', not {self.keep!r}")
        read_by(self.by)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in `by`."""
        return read_by(self.by)

    @property
    def settle_us(self) -> int:
        """Return the quiet time in microseconds."""
        return read_needed("settle", self.settle, "Debounce") // _MICROSECOND

    @classmethod
    def read(cls, value: object) -> Debounce:
        """Return the debounce that an option stands for: itself, or a duration."""
        if isinstance(value, cls):
            return value
        return cls(read_needed("debounce", value, "task"))
