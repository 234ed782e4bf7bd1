"""The arguments of a call by their names, with those that it leaves to their defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .payload import decode
from .task import Task


def read_arguments(task: Task[..., Any] | None, args: str, kwargs: str) -> dict[str, Any]:
    """Return the arguments of a call that is written as JSON; what cannot be read has none."""
    try:
        return arguments_of(task, decode(args), decode(kwargs))
    except (TypeError, ValueError):
        return {}


def arguments_of(
    task: Task[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what each parameter gets, as JSON would carry it: tuples are lists.

    What the body takes as `**options` is found under its own name as well. Of a task that is not
    known here, or that does not take these arguments, only what was given by name is known.
    """
    if task is None:
        return dict(kwargs)
    try:
        bound = task.signature().bind(*args, **kwargs)
    except TypeError:
        return dict(kwargs)
    bound.apply_defaults()
    named = {**kwargs, **bound.arguments}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in named.items()}
