"""One form for all JSON that is equal, so that digests of it can be compared."""

from __future__ import annotations

import json
from typing import Any


def canonical(text: str) -> Any:
    """Return what the text says, with keys in order, and 60.0 as 60."""
    return _one_form(json.loads(text))


def _one_form(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _one_form(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_one_form(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
