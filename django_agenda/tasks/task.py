"""A function that can be run later, registered under its dotted path, with its policies."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from datetime import timedelta
from functools import update_wrapper
from typing import Any, Generic, Literal, ParamSpec, TypeVar

from django_agenda.policies.concurrency import Limit
from django_agenda.policies.cooldown import Cooldown
from django_agenda.policies.debounce import Debounce
from django_agenda.policies.policies import Policies
from django_agenda.policies.rate import Rate
from django_agenda.policies.retry import Retry
from django_agenda.policies.terms import Terms
from django_agenda.policies.timeout import read_duration
from django_agenda.timing.backoff import parse_backoff

from .current import Current, current
from .function import check_function

P = ParamSpec("P")
R = TypeVar("R")

QUEUE_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
MAX_PRIORITY = 100
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Task(Generic[P, R]):
    """Run a function now when called, or later by its `name`.

    Made by `@task`; immutable. `name` is always the dotted path of the function.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        queue_name: str = "default",
        priority: int = 0,
        max_attempts: int = 1,
        backoff: Any = None,
        retry_on: Any = Exception,
        give_up_on: Any = (),
        timeout: timedelta | float | None = None,
        expires: timedelta | float | None = None,
        on_worker_lost: Literal["retry", "fail"] = "retry",
        atomic: bool = False,
        redact: tuple[str, ...] | list[str] = (),
        cpu_bound: bool = False,
        concurrency: Limit | int | None = None,
        rate: Rate | None = None,
        cooldown: Cooldown | timedelta | float | None = None,
        debounce: Debounce | timedelta | float | None = None,
        takes_context: bool = False,
    ) -> None:
        check_function(function)
        self.function = function
        self.takes_context = _check_takes_context(function, takes_context)
        self._signature = self._read_signature()
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.is_async = inspect.iscoroutinefunction(function)
        self.queue_name = check_queue_name(queue_name)
        self.priority = check_priority(priority)
        self.retry = Retry(
            max_attempts=max_attempts,
            backoff=parse_backoff(backoff),
            retry_on=retry_on,
            give_up_on=give_up_on,
        )
        self.timeout = read_duration("timeout", timeout)
        self.expires = read_duration("expires", expires)
        if on_worker_lost not in ("retry", "fail"):
            raise ValueError(f"'on_worker_lost' must be 'retry' or 'fail', not {on_worker_lost!r}")
        self.on_worker_lost = on_worker_lost
        self.atomic = _check_atomic(atomic, is_async=self.is_async)
        self.redact = self._read_names(redact)
        self.policies = self._read_policies(
            {"concurrency": concurrency, "rate": rate, "cooldown": cooldown, "debounce": debounce}
        )
        if cpu_bound and self.is_async:
            raise ValueError("'cpu_bound' is for plain functions, and this one is a coroutine")
        self.cpu_bound = bool(cpu_bound)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run here and now, like the plain function.

        One that takes its context is called without it, as everywhere else, or with the one that
        the caller has; then `current` is passed on.
        """
        return self.function(*self.with_context(args, current), **kwargs)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run here and now; django.tasks has the same name for it."""
        return self(*args, **kwargs)

    @property
    def max_attempts(self) -> int:
        """Return how often it is tried in all."""
        return self.retry.max_attempts

    def with_context(self, args: Sequence[Any], context: Current) -> Any:
        """Return the arguments with the context before them, if it takes one and has none yet."""
        if not self.takes_context or (args and isinstance(args[0], Current)):
            return args
        return (context, *args)

    def signature(self, *, follow_wrapped: bool = True) -> inspect.Signature:
        """Return what callers give: the function's parameters, but not its context."""
        return self._signature if follow_wrapped else self._read_signature(follow_wrapped=False)

    def has_argument(self, name: str) -> bool:
        """Tell whether a call of it can have an argument of that name."""
        parameters = self.signature().parameters
        return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def on_terms(self, terms: Terms) -> Task[P, R]:
        """Return this task with the time-out and backoff that a schedule asks for."""
        changed = copy(self)
        backoff = terms.parsed_backoff()
        if backoff is not None:
            changed.retry = replace(self.retry, backoff=backoff)
        if terms.timeout is not None:
            changed.timeout = terms.timeout
        return changed

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def _read_signature(self, *, follow_wrapped: bool = True) -> inspect.Signature:
        found = inspect.signature(self.function, follow_wrapped=follow_wrapped)
        if not self.takes_context:
            return found
        return found.replace(parameters=list(found.parameters.values())[1:])

    def _read_names(self, names: Any) -> tuple[str, ...]:
        if isinstance(names, str):
            raise TypeError(f"'redact' must be a list or tuple of argument names, not {names!r}")
        self._check_arguments("'redact'", names)
        return tuple(names)

    def _read_policies(self, options: dict[str, Any]) -> Policies | None:
        policies = Policies.read(options)
        for option, policy in () if policies is None else policies._asdict().items():
            if policy is not None:
                self._check_arguments(f"The 'by' of {option!r}", policy.names)
        return policies

    def _check_arguments(self, what: str, names: Iterable[str]) -> None:
        for name in names:
            if not self.has_argument(name):
                raise ValueError(f"{what} names {name!r}, which is no argument of the task")


def check_queue_name(name: str) -> str:
    """Return the name, or raise ValueError when it is not 1 to 64 of a-z 0-9 _ . and dashes."""
    if not isinstance(name, str) or not QUEUE_NAME.fullmatch(name):
        raise ValueError(f"A queue name must be 1 to 64 of a-z, 0-9, '_', '.', '-', not {name!r}")
    return name


def check_priority(priority: int) -> int:
    """Return the priority, or raise when it is not a whole number from -100 to 100."""
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise TypeError(f"'priority' must be a whole number, not {priority!r}")
    if abs(priority) > MAX_PRIORITY:
        raise ValueError(f"'priority' must be from -100 to 100, not {priority}")
    return priority


def _check_atomic(atomic: bool, *, is_async: bool) -> bool:
    if not isinstance(atomic, bool):
        raise TypeError(f"'atomic' must be True or False, not {atomic!r}")
    if atomic and is_async:
        raise ValueError("'atomic' needs a plain function: a transaction cannot span an await")
    return atomic


def _check_takes_context(function: Callable[..., Any], takes_context: bool) -> bool:
    if not isinstance(takes_context, bool):
        raise TypeError(f"'takes_context' must be True or False, not {takes_context!r}")
    if takes_context:
        first = next(iter(inspect.signature(function).parameters.values()), None)
        if first is None or first.kind not in POSITIONAL:
            raise ValueError(
                "'takes_context' needs a first parameter for the context, and"
                f" {function.__qualname__}{inspect.signature(function)} has none"
            )
    return takes_context
