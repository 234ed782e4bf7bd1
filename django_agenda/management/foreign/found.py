"""What was found in the tables of another library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class CannotCarry(Exception):
    """Say why a schedule cannot be carried; caught by whoever reads the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Hold a schedule in our own terms; `notes` say what of the old one is not carried."""

    title: str
    task_name: str
    kind: str
    rule: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Hold what cannot be carried, and why."""

    title: str
    why: str
