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
    TypeError naming the option that is wrong. What is a task already stays what it is; options
    belong on the `@task` that is below `@every` and `@cron`.
    """
    if function is None:
        return lambda decorated: _made(decorated, options)
    return _made(function, options)


def _made(decorated: Callable[..., Any], options: dict[str, Any]) -> Task[..., Any]:
    if not isinstance(decorated, Task):
        return register(Task(decorated, **options))
    if options:
        raise ValueError(
            f"{decorated.name} is a task already: give the options to its first decorator, which is"
            " below @every and @cron"
        )
    return decorated
