"""Since when a part of the worker has been busy with one and the same step."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from django_agenda.clock import monotonic


def _yes() -> bool:
    return True


class Progress:
    """Note when a step begins and ends; a part that waits or pauses is in no step.

    Plain attributes, read without a lock by the watchdog: it must depend on nothing that can hang.
    """

    __slots__ = ("busy_since", "is_alive")

    def __init__(self) -> None:
        self.busy_since: float | None = None
        self.is_alive: Callable[[], bool] = _yes

    def begin(self) -> None:
        """Note that a step begins, or that the one under way came a step further."""
        self.busy_since = monotonic()

    def end(self) -> None:
        """Note that it waits."""
        self.busy_since = None

    def __enter__(self) -> None:
        self.begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
