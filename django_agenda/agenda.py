"""A list of calls, and scatter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.scheduling.scatter import Options, scatter
from django_agenda.tasks.call import Call
from django_agenda.tasks.registry import check_reference
from django_agenda.timing.spread import Strategy, spread
from django_agenda.timing.window import Window

__all__ = ["Agenda", "Call"]


class Agenda:
    """Collect calls, and scatter them evenly over a window.

    `Agenda(calls)` takes any list of Calls. An iterator needs `count` as well; it is consumed in
    constant memory by the first scatter. An agenda of listed calls can be scattered again and
    again, and each scatter is a new batch.
    """

    def __init__(self, calls: Iterable[Call] = (), *, count: int | None = None) -> None:
        self._stream: Iterator[Call] | None = None
        self._calls: list[Call] = []
        self._count = count
        self._begun: Any = None
        if isinstance(calls, Iterator):
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise ValueError(
                    f"An agenda of an iterator needs a 'count' of its calls, not {count!r}"
                )
            if count >= 2**31:
                raise ValueError(f"'count' must be less than 2**31, not {count}")
            self._stream = calls
        else:
            self._calls = list(calls)
            if count is not None and count != len(self._calls):
                raise ValueError(f"'count' is {count}, but there are {len(self._calls)} calls")
            self._count = None

    def add(self, task: Any, *, key: str | None = None) -> Callable[..., None]:
        """Return a function that takes the task's arguments and adds the call; no I/O.

        Raises ValueError at once for a function that no worker could find: a lambda, a method, a
        builtin, a function inside another. Names and arguments are checked by scatter.
        """
        if self._stream is not None:
            raise ValueError("An agenda of an iterator takes no further calls")
        check_reference(task)
        self._begun = task

        def call(*args: Any, **kwargs: Any) -> None:
            self._calls.append(Call(task, args, kwargs, key))

        return call

    def __len__(self) -> int:
        return len(self._calls) if self._count is None else self._count

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls) if self._stream is None else self._stream

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
        self._stream, self._count, self._begun = None, None, None

    def preview(
        self,
        over: timedelta,
        *,
        start: datetime | None = None,
        jitter: timedelta | None = None,
        strategy: str | Strategy = "even",
        seed: int | None = None,
    ) -> list[datetime]:
        """Return the moments that a scatter would give the calls; write nothing."""
        window = Window(start=now() if start is None else start, over=over)
        slots = spread(len(self), window, strategy=strategy, jitter=jitter, seed=seed)
        return [window.at(slot.planned_us) for slot in slots]

    def scatter(
        self,
        over: timedelta,
        *,
        start: datetime | None = None,
        jitter: timedelta | None = None,
        strategy: str | Strategy = "even",
        seed: int | None = None,
        name: str = "",
        key: str | None = None,
        labels: Sequence[str] = (),
        queue_name: str | None = None,
        priority: int | None = None,
        expires: timedelta | float | None = None,
        max_failures: float | None = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_complete: Any = None,
        progress: Callable[[int, int], object] | None = None,
        strict: bool = False,
    ) -> Batch:
        """Spread the calls over `over`, write them down, and enqueue them after the commit.

        One call lands on start + over/2, n calls on start + over*i/(n-1). Everything is checked
        before anything is written: ValueError or TypeError for a wrong argument (see
        timing.window and timing.spread), UnknownTask for a name that nothing answers to, and
        TypeError or ValueError with its path for an argument that is not JSON.

        Inside a transaction the broker is told after its commit; rolled back, nothing ever runs.
        What the broker refuses stays `pending` and is enqueued later; with `strict`, outside a
        transaction, PartiallyScheduled is raised as well. A batch whose `key` is alive is
        returned as it is, and nothing is added.
        """
        window = Window(start=now() if start is None else start, over=over)
        again = partial(spread, len(self), window, strategy=strategy, jitter=jitter, seed=seed)
        first = [again()]  # which refuses what is wrong
        options = Options.read(
            strategy=strategy,
            jitter=jitter,
            seed=seed,
            name=name,
            key=key,
            labels=labels,
            queue_name=queue_name,
            priority=priority,
            expires=expires,
            max_failures=max_failures,
            on_success=on_success,
            on_failure=on_failure,
            on_complete=on_complete,
        )
        self._warn_when_only_begun()
        calls = self._take()
        slots = lambda: first.pop() if first else again()  # noqa: E731
        try:
            return scatter(
                calls, len(self), window, slots, options, progress=progress, strict=strict
            )
        except SynchronousOnlyOperation as error:
            error.add_note("In a coroutine: await agenda.ascatter(...)")
            raise

    async def ascatter(self, over: timedelta, **options: Any) -> Batch:
        """See scatter()."""
        return await sync_to_async(self.scatter)(over, **options)

    def _warn_when_only_begun(self) -> None:
        if self._begun is not None and not len(self):
            warnings.warn(
                f"An agenda without calls is scattered, although add({self._begun!r}) was called:"
                " what it returns takes the arguments, as in add(task)(arguments)",
                RuntimeWarning,
                stacklevel=3,
            )

    def _take(self) -> Iterable[Call]:
        if self._stream is None:
            return self._calls
        stream, self._stream = self._stream, iter(())
        return stream
