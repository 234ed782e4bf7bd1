"""One attempt while it runs: what it is, and what its body has asked for.

The worker sets a context variable around each attempt, so that it is right in threads, in
coroutines, and in what `sync_to_async` and `asyncio.create_task` run for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django_agenda.exceptions import RetryAsked

from .reached import Reached

if TYPE_CHECKING:
    from django_agenda.agenda import Agenda
    from django_agenda.models.batch import Batch
    from django_agenda.models.execution import Execution


class Wish(NamedTuple):
    """Hold what a run wants of its schedule; it is granted when the attempt is recorded.

    `args` and `kwargs` are JSON texts, None leaves them as they are.
    """

    args: str | None = None
    kwargs: str | None = None
    at: datetime | None = None
    stops: bool = False


class Context:
    """Hold one attempt while it runs; whoever runs it says what its rows are.

    `asked` is how it wants to be tried again, `reached` how far it says that it is.
    """

    __slots__ = (
        *("_stop", "asked", "attempt", "batch_id", "id", "is_cancelled", "key", "reached"),
        *("task_name", "wish"),
    )

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        task_name: str,
        attempt: int,
        key: str | None,
        batch_id: int | None = None,
    ) -> None:
        self.id = id
        self.task_name = task_name
        self.attempt = attempt
        self.key = key
        self.batch_id = batch_id
        self.asked: RetryAsked | None = None
        self.reached: Reached | None = None
        self.is_cancelled = False
        self._stop: Callable[[], object] | None = None
        self.wish: Wish | None = None

    @property
    def is_of_schedule(self) -> bool:
        """Tell whether it is a run of a schedule."""
        raise NotImplementedError

    @property
    def agenda(self) -> Agenda:
        """Return the agenda that is scattered once the body has returned."""
        raise NotImplementedError

    @property
    def execution(self) -> Execution:
        """Return the execution as it was claimed."""
        raise NotImplementedError

    @property
    def batch(self) -> Batch | None:
        """Return its batch, if it has one."""
        raise NotImplementedError

    def scatter(self) -> object:
        """Scatter what the body has added to its agenda."""
        return None

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


_current: ContextVar[Context] = ContextVar("django_agenda_current")


@contextmanager
def running(context: Context) -> Iterator[None]:
    """Make this the current attempt while the block lasts."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def running_context() -> Context | None:
    """Return the context of the body that calls this; None elsewhere."""
    return _current.get(None)


def running_id() -> str | None:
    """Return the id of the execution whose body calls this, in hexadecimal; None elsewhere."""
    context = _current.get(None)
    return None if context is None else context.id
