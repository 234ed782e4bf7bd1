"""The arguments of a call by their names, with those that it leaves to their defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .task import Task


def arguments_of(
    task: Task[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what each parameter gets, as JSON would carry it: tuples are lists.

    What the body takes as `**options` is found under its own name as well. Of a task that is not
    known here, or that does not take these arguments, only what was given by name is known.
    """
    if task is None:
        return dict(kwargs)
    signature = _signature(task.function, leaves_out=bool(getattr(task, "takes_context", False)))
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return dict(kwargs)
    bound.apply_defaults()
    named = {**kwargs, **bound.arguments}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in named.items()}


def has_parameter(task: Task[..., Any], name: str) -> bool:
    """Tell whether a call of this task can have an argument of that name."""
    takes_context = bool(getattr(task, "takes_context", False))
    parameters = _signature(task.function, leaves_out=takes_context).parameters
    return name in parameters or any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    )


@lru_cache(maxsize=1024)
def _signature(function: Callable[..., Any], *, leaves_out: bool) -> inspect.Signature:
    """Return the signature without its first parameter, if that is the context of a run."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    return signature.replace(parameters=parameters[1:]) if leaves_out else signature
