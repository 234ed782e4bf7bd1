"""`@task`: make a function one that can be run later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from .current import Current
from .registry import register
from .task import Task

P = ParamSpec("P")
R = TypeVar("R")


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *, takes_context: Literal[True], **options: Any
) -> Callable[[Callable[Concatenate[Current, P], R]], Task[P, R]]: ...


@overload
def task(**options: Any) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Register a module-level function as a task, as `@task` or `@task(queue_name="mail", ...)`.

    Raises ValueError for a function that no other process could find, and ValueError or
    TypeError naming the option that is wrong.
    """
    if function is None:
        return lambda decorated: register(Task(decorated, **options))
    return register(Task(function, **options))
