"""Which functions a worker could find by their dotted path."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any


def check_function(function: object) -> None:
    """Raise ValueError, with the reason, for a function that no other process could find."""
    name = getattr(function, "__qualname__", None) or repr(function)
    if not inspect.isfunction(function):
        raise ValueError(f"{name} is not a plain function, so no worker could find it by name")
    if function.__name__ == "<lambda>":
        raise ValueError("A lambda has no name by which a worker could find it")
    if "." in function.__qualname__:
        raise ValueError(
            f"{name} is not defined at the top of a module, so no worker could find it"
        )
    if function.__module__ == "__main__":
        raise ValueError(f"{name} is defined in __main__, which a worker does not have")
    _check_that_its_name_leads_to_it(function)


def _check_that_its_name_leads_to_it(function: Callable[..., Any]) -> None:
    module = sys.modules.get(function.__module__)
    there = getattr(module, function.__name__, function)
    if there is not function and getattr(there, "function", None) is not function:
        path = f"{function.__module__}.{function.__qualname__}"
        # While a decorator runs at reload, the module still has the former object.
        if getattr(there, "__qualname__", None) != function.__qualname__:
            raise ValueError(f"{path} is not what a worker would find by that name")
