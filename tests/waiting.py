"""Wait on a condition with a deadline: the only sleep of this project."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], timeout: float = 30.0, *, every: float = 0.01, what: str = ""
) -> T:
    """Return the first true value of `condition`; raise AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"Waited {timeout} s for {name}; at last it was {value!r}.")
        time.sleep(every)
