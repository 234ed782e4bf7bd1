"""Whether, and when, a failed execution is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django_agenda.timing.backoff import Backoff, delay

ExceptionClasses = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Hold how often a task is tried in all, after which errors, and with which delays."""

    max_attempts: int
    backoff: Backoff
    retry_on: ExceptionClasses
    give_up_on: ExceptionClasses

    def __post_init__(self) -> None:
        if not isinstance(self.max_attempts, int) or isinstance(self.max_attempts, bool):
            raise TypeError(f"'max_attempts' must be a whole number, not {self.max_attempts!r}")
        if not 1 <= self.max_attempts < 2**31:
            raise ValueError(f"'max_attempts' must be at least 1, not {self.max_attempts}")
        object.__setattr__(self, "retry_on", _classes("retry_on", self.retry_on))
        object.__setattr__(self, "give_up_on", _classes("give_up_on", self.give_up_on))

    def delay_after(self, attempt: int, error: BaseException) -> timedelta | None:
        """Return how long to wait after that failed attempt; None gives up."""
        if not isinstance(error, self.retry_on) or isinstance(error, self.give_up_on):
            return None
        return delay(self.backoff, attempt, error)


def _classes(option: str, given: object) -> tuple[type[BaseException], ...]:
    classes = tuple(given) if isinstance(given, tuple | list) else (given,)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(f"{option!r} must hold exception classes, not {one!r}")
    return classes
