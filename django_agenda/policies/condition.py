"""A comparison with one argument of a call, by which a strike tells what it holds."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BETWEEN = "between"
_ORDERINGS: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_COMPARISONS = {"==": operator.eq, "!=": operator.ne, **_ORDERINGS}
OPERATORS = (*_COMPARISONS, BETWEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Hold an operator and what it compares with; `between` has a pair, and both ends belong to it.

    Raises ValueError for what could never be met by anything.
    """

    operator: str
    value: Any

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            known = ", ".join(map(repr, OPERATORS))
            raise ValueError(f"'operator' must be one of {known}, not {self.operator!r}")
        if self.operator == BETWEEN:
            self._check_pair()
        elif self.operator in _ORDERINGS and not _is_met(operator.le, self.value, self.value):
            raise ValueError(f"'value' has no order for {self.operator!r}: {self.value!r:.80}")

    def is_met_by(self, argument: Any) -> bool:
        """Compare as Python does; a comparison that cannot be made is not met."""
        if self.operator == BETWEEN:
            low, high = self.value
            return _is_met(operator.le, low, argument) and _is_met(operator.le, argument, high)
        return _is_met(_COMPARISONS[self.operator], argument, self.value)

    def _check_pair(self) -> None:
        if not isinstance(self.value, list | tuple) or len(self.value) != 2:
            raise ValueError(f"'value' must be a pair for 'between', not {self.value!r:.80}")
        if not _is_met(operator.le, *self.value):
            raise ValueError(f"'value' must be a pair in its order, not {self.value!r:.80}")


def _is_met(compare: Callable[[Any, Any], Any], one: Any, other: Any) -> bool:
    try:
        return bool(compare(one, other))
    except Exception:  # noqa: BLE001
        return False
