"""The policies of a task that hold against other executions of it: its gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from .concurrency import Limit
from .cooldown import Cooldown
from .debounce import Debounce
from .rate import Rate


class Policies(NamedTuple):
    """Hold what the options of a task ask for; None is not asked for."""

    cooldown: Cooldown | None = None
    debounce: Debounce | None = None
    rate: Rate | None = None
    concurrency: Limit | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self | None:
        """Read the options of these names; None when none of them is given.

        Raises TypeError or ValueError naming the option that is wrong.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if not given:
            return None
        return cls(**{name: _READERS[name](value) for name, value in given.items()})


_READERS: dict[str, Callable[[object], Any]] = {
    "cooldown": Cooldown.read,
    "debounce": Debounce.read,
    "rate": Rate.read,
    "concurrency": Limit.read,
}
