"""What a body can know of the attempt that it is: `from django_agenda import current`.

The worker sets a context variable around each attempt, so that it is right in threads, in
coroutines, and in what `sync_to_async` and `asyncio.create_task` run for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django_agenda.clock import now
from django_agenda.exceptions import OutsideTask
from django_agenda.policies.timeout import read_duration

from .payload import encode_arguments

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
    """Hold one attempt while it runs; whoever runs it says what its rows are."""

    __slots__ = ("_stop", "attempt", "id", "is_cancelled", "key", "task_name", "wish")

    def __init__(self, *, id: str, task_name: str, attempt: int, key: str | None) -> None:  # noqa: A002
        self.id = id
        self.task_name = task_name
        self.attempt = attempt
        self.key = key
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


_context: ContextVar[Context] = ContextVar("django_agenda_current")


@contextmanager
def running(context: Context) -> Iterator[None]:
    """Make this the current attempt while the block lasts."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


def running_id() -> str | None:
    """Return the id of the execution whose body calls this, in hexadecimal; None elsewhere."""
    context = _context.get(None)
    return None if context is None else context.id


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

    @property
    def agenda(self) -> Agenda:
        """Return the agenda of a run whose schedule has `over`.

        What is added to it is scattered over that time once the body has returned; a body that
        raises scatters nothing. Elsewhere it raises OutsideTask.
        """
        return _get("agenda").agenda

    def next(
        self,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        after: timedelta | float | None = None,
        at: datetime | None = None,
    ) -> None:
        """Let this run's schedule go on with other arguments, or at another moment.

        The arguments are those of all ticks from then on. The moment (`at`, aware, or `after`, a
        timedelta or seconds from now) is that of the next tick only, and the rule goes on after
        it; it revives a schedule that was to run once. It is done when the outcome of this
        attempt is stored, whatever it is; a lost attempt leaves nothing. The last call counts.
        Raises ValueError or TypeError at once, OutsideTask when this is no run of a schedule.
        """
        context = _of_schedule("next")
        if args is None and kwargs is None and after is None and at is None:
            raise ValueError("current.next() needs one of 'args', 'kwargs', 'after' and 'at'")
        args_text, kwargs_text = encode_arguments(args or (), kwargs or {})
        context.wish = Wish(
            None if args is None else args_text,
            None if kwargs is None else kwargs_text,
            _moment(after, at),
        )

    def stop_schedule(self) -> None:
        """Disable this run's schedule when the outcome of this attempt is stored."""
        _of_schedule("stop_schedule").wish = Wish(stops=True)


def _of_schedule(name: str) -> Context:
    context = _get(name)
    if not context.is_of_schedule:
        raise OutsideTask(f"'current.{name}' is for a run of a schedule, and this is none")
    return context


def _moment(after: timedelta | float | None, at: datetime | None) -> datetime | None:
    if after is not None and at is not None:
        raise ValueError(f"Give 'at' or 'after', not both: at={at!r}, after={after!r}")
    wait = read_duration("after", after)
    if wait is not None:
        return now() + wait
    if at is None:
        return None
    if not isinstance(at, datetime):
        raise TypeError(f"'at' must be an aware datetime, not {at!r}")
    if at.utcoffset() is None:
        raise ValueError(f"'at' must be an aware datetime, {at!r} is naive")
    return at.astimezone(UTC)


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
