"""What a body can know of the attempt that it is: `from django_agenda import current`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from django_agenda.clock import now
from django_agenda.exceptions import OutsideTask, RetryAsked
from django_agenda.policies.timeout import read_duration
from django_agenda.timing.aware import aware

from .call import is_storable
from .context import Context, Wish, running_context
from .payload import encode_arguments
from .reached import MAX_MESSAGE, read_reached

if TYPE_CHECKING:
    from django_agenda.agenda import Agenda
    from django_agenda.models.batch import Batch
    from django_agenda.models.execution import Execution


class Current:
    """Tell a body which attempt it is; outside of one, every attribute raises OutsideTask.

    `current` finds it by itself. What a task with `takes_context=True` is given belongs to its
    one attempt, also in threads that the body starts itself.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Context | None = None) -> None:
        self._context = context

    @property
    def execution(self) -> Execution:
        """Return the execution as it was claimed; what a claim does not read is read when used."""
        return self._get("execution").execution

    @property
    def batch(self) -> Batch | None:
        """Return the batch, read once; a coroutine reads it by `await batch.arefresh_from_db()`."""
        return self._get("batch").batch

    @property
    def attempt(self) -> int:
        """Return which try this is, from 1; tries whose worker was lost count."""
        return self._get("attempt").attempt

    @property
    def key(self) -> str | None:
        """Return the key that the execution holds."""
        return self._get("key").key

    @property
    def cancelled(self) -> bool:
        """Tell whether the cancellation of this execution was asked for: at most a second late.

        A plain function that looks here can end early, and is recorded as what it was. A
        coroutine is cancelled by its event loop as well.
        """
        return self._get("cancelled").is_cancelled

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """Return a logger of the task's name, whose lines say which attempt writes them.

        They end with `execution=`, `attempt=` and, in a batch, `batch=`; their records carry the
        same and the `key`.
        """
        context = self._get("logger")
        carried = {"execution": context.id, "attempt": context.attempt, "batch": context.batch_id}
        more = {**carried, "key": context.key}
        return _Logger(logging.getLogger(context.task_name), more)

    @property
    def agenda(self) -> Agenda:
        """Return the agenda of a run whose schedule has `over`.

        What is added to it is scattered over that time once the body has returned; a body that
        raises scatters nothing. Elsewhere it raises OutsideTask.
        """
        return self._get("agenda").agenda

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Say how far it is: so much done, of so much, and in words what it is at.

        Costs no I/O, so a loop may call it at every step: the worker writes the latest down, at
        most once a second, and once more with the outcome. Each call stands in for the one before
        as a whole. `total` None is unknown. Raises TypeError or ValueError naming a bad value.
        """
        self._get("progress").reached = read_reached(done, total, message)

    def retry(
        self,
        *,
        after: timedelta | float | None = None,
        at: datetime | None = None,
        reason: str = "",
    ) -> NoReturn:
        """End this attempt, and try again at that moment: `at`, aware, or `after`, from now.

        It raises RetryAsked, which is no Exception; a body that swallows it is tried again all the
        same. What an atomic task did is rolled back. The new attempt is granted on top of
        `max_attempts`, which is for failures: a body that asks for ever is bounded by itself, with
        `current.attempt`. The reason, or else the error that is being handled, is written into
        the Attempt. Raises ValueError or TypeError unless exactly one moment is given.
        """
        context = self._get("retry")
        if not isinstance(reason, str):
            raise TypeError(f"'reason' must be a text, not {reason!r:.80}")
        if not is_storable(reason):
            raise ValueError(
                f"'reason' must hold no NUL and no half of a surrogate: {reason!r:.80}"
            )
        moment = now() if _is_nothing(after) and at is None else _moment(after, at)
        if moment is None:
            raise ValueError("current.retry() needs one of 'after' and 'at'")
        context.asked = RetryAsked(moment, reason[:MAX_MESSAGE])
        raise context.asked

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
        context = self._of_schedule("next")
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
        self._of_schedule("stop_schedule").wish = Wish(stops=True)

    def _of_schedule(self, name: str) -> Context:
        context = self._get(name)
        if not context.is_of_schedule:
            raise OutsideTask(f"'current.{name}' is for a run of a schedule, and this is none")
        return context

    def _get(self, name: str) -> Context:
        context = self._context or running_context()
        if context is None:
            raise OutsideTask(
                f"'current.{name}' is for the body of a task that a worker runs; nothing runs here"
            )
        return context


def _is_nothing(after: object) -> bool:
    """Tell whether it is a wait of no length, as some services answer: then it is at once."""
    return after == timedelta(0) or (after == 0 and not isinstance(after, bool))


def _moment(after: timedelta | float | None, at: datetime | None) -> datetime | None:
    if after is not None and at is not None:
        raise ValueError(f"Give 'at' or 'after', not both: at={at!r}, after={after!r}")
    wait = read_duration("after", after)
    if wait is not None:
        try:
            return now() + wait
        except OverflowError:
            raise ValueError(f"'after' leads past the year 9999: {after!r}") from None
    return None if at is None else aware("at", at)


class _Logger(logging.LoggerAdapter[logging.Logger]):
    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        given: Mapping[str, Any] = kwargs.get("extra") or {}
        carried: Mapping[str, Any] = self.extra or {}
        names = ("execution", "attempt", "batch")
        told = [f"{name}={carried[name]}" for name in names if carried.get(name) is not None]
        return " ".join((str(msg), *told)), {**kwargs, "extra": {**carried, **given}}


current = Current()
