"""What a schedule asks for instead of its task's own policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from django_agenda.timing.backoff import Backoff, Exponential, parse_backoff

from .timeout import read_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Hold a time-out, a backoff, and over which time the agenda of a run is scattered.

    None leaves it to the task. They are written down, so the backoff is a duration or an
    Exponential: a callable belongs to the task.
    """

    timeout: timedelta | None = None
    backoff: timedelta | Exponential | None = None
    over: timedelta | None = None

    @classmethod
    def read(cls, *, timeout: Any = None, backoff: Any = None, over: Any = None) -> Self:
        """Check what was given; the error names what is wrong."""
        if callable(backoff) and not isinstance(backoff, Exponential):
            raise ValueError(  # noqa: TRY004
                f"The 'backoff' of a schedule must be a duration or Exponential, not {backoff!r}:"
                " give a callable to the task"
            )
        if not isinstance(backoff, Exponential | None):
            backoff = getattr(parse_backoff(backoff), "after")  # noqa: B009
        return cls(
            timeout=read_duration("timeout", timeout),
            backoff=backoff,
            over=read_duration("over", over),
        )

    def parsed_backoff(self) -> Backoff | None:
        """Return the backoff as a task has it."""
        return None if self.backoff is None else parse_backoff(self.backoff)

    def pack(self) -> dict[str, Any] | None:
        """Return what a column keeps as JSON; None when nothing is asked for."""
        backoff: Any = self.backoff
        if isinstance(backoff, Exponential):
            backoff = [backoff.minimum, backoff.maximum, backoff.jitter]
        given = {"timeout": self.timeout, "backoff": backoff, "over": self.over}
        return {name: value for name, value in given.items() if value is not None} or None

    @classmethod
    def unpack(cls, packed: dict[str, Any] | None) -> Self:
        """Return what pack() gave."""
        given = dict(packed or {})
        if isinstance(given.get("backoff"), list):
            given["backoff"] = Exponential(*given["backoff"])
        return cls(**given)
