"""What a body can know of the attempt that it is: `from django_agenda import current`.

The worker sets a context variable around each attempt, so that it is right in threads, in
coroutines, and in what `sync_to_async` and `asyncio.create_task` run for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django_agenda.exceptions import OutsideTask

if TYPE_CHECKING:
    from django_agenda.models.batch import Batch
    from django_agenda.models.execution import Execution


class Context:
    """Hold one attempt while it runs; whoever runs it says what its rows are."""

    __slots__ = ("_stop", "attempt", "id", "is_cancelled", "key", "task_name")

    def __init__(self, *, id: str, task_name: str, attempt: int, key: str | None) -> None:  # noqa: A002
        self.id = id
        self.task_name = task_name
        self.attempt = attempt
        self.key = key
        self.is_cancelled = False
        self._stop: Callable[[], object] | None = None

    @property
    def execution(self) -> Execution:
        """Return the execution as it was claimed."""
        raise NotImplementedError

    @property
    def batch(self) -> Batch | None:
        """Return its batch, if it has one."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Tell the body that its cancellation was asked for; may be called from any thread."""
        self.is_cancelled = True
        if self._stop is not None:
            self._stop()

    def when_cancelled(self, stop: Callable[[], object]) -> None:
        """Call this when the cancellation is asked for, at once if it was; perhaps twice."""
        self._stop = stop
        if self.is_cancelled:
            stop()


_context: ContextVar[Context] = ContextVar("django_agenda_current")


@contextmanager
def running(context: Context) -> Iterator[None]:
    """Make this the current attempt while the block lasts."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


class Current:
    """Tell a body which attempt it is; outside of one, every attribute raises OutsideTask."""

    @property
    def execution(self) -> Execution:
        """Return the execution as it was claimed; what a claim does not read is read when used."""
        return _get("execution").execution

    @property
    def batch(self) -> Batch | None:
        """Return the batch, read once; a coroutine reads it by `await batch.arefresh_from_db()`."""
        return _get("batch").batch

    @property
    def attempt(self) -> int:
        """Return which try this is, from 1; tries whose worker was lost count."""
        return _get("attempt").attempt

    @property
    def key(self) -> str | None:
        """Return the key that the execution holds."""
        return _get("key").key

    @property
    def cancelled(self) -> bool:
        """Tell whether the cancellation of this execution was asked for: at most a second late.

        A plain function that looks here can end early, and is recorded as what it was. A
        coroutine is cancelled by its event loop as well.
        """
        return _get("cancelled").is_cancelled

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """Return a logger of the task's name, whose records carry `execution`, `attempt`, `key`."""
        context = _get("logger")
        carried = {"execution": context.id, "attempt": context.attempt, "key": context.key}
        return _Logger(logging.getLogger(context.task_name), carried)


class _Logger(logging.LoggerAdapter[logging.Logger]):
    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        given: Mapping[str, Any] = kwargs.get("extra") or {}
        return msg, {**kwargs, "extra": {**(self.extra or {}), **given}}


def _get(name: str) -> Context:
    try:
        return _context.get()
    except LookupError:
        raise OutsideTask(
            f"'current.{name}' is for the body of a task that a worker runs; nothing runs here"
        ) from None


current = Current()
