"""How many executions of a task run at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from .by import read_by, read_count

MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """Let at most `n` run at once, over all workers; `by` makes that `n` for each value of it.

    Those beyond it wait in the order of priority and due time, and are let in as others end. What
    a worker has claimed and not begun counts as running.
    """

    n: int
    by: str | tuple[str, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        read_count("The 'n' of a Limit", self.n, MOST)
        read_by(self.by)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in `by`."""
        return read_by(self.by)

    @classmethod
    def read(cls, value: object) -> Limit:
        """Return the limit that an option stands for: itself, or a number."""
        if isinstance(value, cls):
            return value
        if isinstance(value, int):
            return cls(value)
        raise TypeError(f"'concurrency' must be a Limit or a whole number, not {value!r}")
