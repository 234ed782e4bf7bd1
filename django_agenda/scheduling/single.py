"""Schedule single executions: without a batch, each at a moment of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import SynchronousOnlyOperation
from django.db import router, transaction

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable, UnknownTask
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction
from django_agenda.policies.timeout import read_duration
from django_agenda.tasks.call import Call, check_key, labels_text, point_at
from django_agenda.tasks.payload import encode_arguments
from django_agenda.tasks.registry import resolve
from django_agenda.timing.aware import aware

from .cancel import cancel_waiting
from .enqueue import enqueue, entry_of, refuse
from .write import Plan, write

# Each further try means that another process took or freed the key in between.
MAX_TRIES = 20
_TOLD = ("id", "queue_name", "due_at", "priority")


def schedule(
    task: Any,
    *,
    at: datetime | None = None,
    after: timedelta | float | None = None,
    key: str | None = None,
    replace: bool = False,
    labels: Sequence[str] = (),
) -> Callable[..., Execution]:
    """Return a function that takes the task's arguments and schedules one execution.

    It runs at `at` (aware), or `after` (a timedelta or seconds) from now, or now. When `key` is
    alive already the living execution is returned; with `replace` the one that waits is cancelled
    and a new one takes its key in one step (one that runs is not replaced, but returned).
    """
    due_at = _due_at(at, after)
    check_key(key)
    if replace and key is None:
        raise ValueError("'replace' needs a key: there is nothing else by which to find the former")
    return _Begun(Call(task, (), {}, key, due_at, labels), replace=replace)


def schedule_many(calls: Iterable[Call]) -> list[Execution]:
    """Schedule each call at its `at` (None: now), and return the executions in the same order.

    All are written in one transaction, or none. For a key that is alive already the living
    execution is returned.
    """
    return _schedule(list(calls), replace=False)


class _Begun:
    """Take the arguments of a call, and schedule it; warn when nobody ever gave them."""

    __slots__ = ("_call", "_is_done", "_replace")

    def __init__(self, call: Call, *, replace: bool) -> None:
        self._call = call
        self._replace = replace
        self._is_done = False

    def __call__(self, *args: Any, **kwargs: Any) -> Execution:
        self._is_done = True
        one = self._call._replace(args=args, kwargs=kwargs)
        return _schedule([one], replace=self._replace)[0]

    def __del__(self) -> None:
        if not self._is_done:
            warnings.warn(
                f"schedule({self._call.task!r}) has scheduled nothing: what it returns takes the"
                " arguments, as in schedule(task)(arguments)",
                RuntimeWarning,
                stacklevel=2,
            )


def _schedule(calls: list[Call], *, replace: bool) -> list[Execution]:
    try:
        return _write_down(calls, replace=replace)
    except SynchronousOnlyOperation as error:
        error.add_note("In a coroutine: await sync_to_async(...) of a function that schedules")
        raise


def _write_down(calls: list[Call], *, replace: bool) -> list[Execution]:
    using = router.db_for_write(Execution)
    moment = now()
    plans = _plans(calls, moment)
    size = get_settings().CHUNK_SIZE

    def write_all() -> list[str]:
        ids: list[str] = []
        entries: list[Entry] = []
        for first in range(0, len(plans), size):
            chunk = plans[first : first + size]
            if replace:
                _end_waiting(using, chunk)
            chunk_ids, new = _write(using, chunk, replace=replace)
            ids += chunk_ids
            entries += new
        transaction.on_commit(partial(_tell, using, entries), using=using)
        return ids

    return _fetch(using, in_transaction(using, write_all))


def _plans(calls: list[Call], moment: datetime) -> list[Plan]:
    plans: list[Plan] = []
    for number, call in enumerate(calls):
        if not isinstance(call, Call):
            raise TypeError(f"calls[{number}] must be a Call, not {call!r}")
        try:
            plans.append(_plan(call, moment))
        except (TypeError, ValueError, UnknownTask) as error:
            if len(calls) > 1:
                point_at(error, number, call)
            raise
    return plans


def _plan(call: Call, moment: datetime) -> Plan:
    task = resolve(call.task)
    args, kwargs = encode_arguments(
        call.args, call.kwargs, max_bytes=get_settings().MAX_PAYLOAD_BYTES
    )
    due_at = moment if call.at is None else aware("at", call.at)
    return Plan(task, args, kwargs, check_key(call.key), labels_text(call.labels), due_at)


def _write(using: str, plans: Sequence[Plan], *, replace: bool) -> tuple[list[str], list[Entry]]:
    """Write the plans; return an id for each, of the living one when its key is alive.

    Returns as well what the broker is to be told of: the new ones only.
    """
    written = write(using, plans)
    ids = list(written.ids)
    entries: list[Entry] = []
    for place, plan in enumerate(plans):
        is_new = ids[place] not in written.taken
        if not is_new:
            ids[place], is_new = _take_key(using, plan, replace=replace)
        if is_new:
            task = plan.task
            entry = Entry(ids[place], task.queue_name, due_ms(plan.due_at), task.priority)
            entries.append(entry)
    return ids, entries


def _take_key(using: str, plan: Plan, *, replace: bool) -> tuple[str, bool]:
    """Return the id of the living execution, or of a new one; the latter with True."""
    for _ in range(MAX_TRIES):
        if replace:
            _end_waiting(using, [plan])
        living = Execution.objects.using(using).filter(live_key=plan.key).first()
        if living is not None and (not replace or living.status == Execution.Status.RUNNING):
            return str(living.pk.hex), False
        written = write(using, [plan])
        if not written.taken:
            return written.ids[0], True
    raise RuntimeError(f"The key {plan.key!r} changed hands {MAX_TRIES} times; try again")


def _end_waiting(using: str, plans: Sequence[Plan]) -> None:
    keys = [plan.key for plan in plans if plan.key is not None]
    cancel_waiting(Execution.objects.using(using).filter(live_key__in=keys))


def _tell(using: str, entries: Sequence[Entry]) -> None:
    size = get_settings().CHUNK_SIZE
    for first in range(0, len(entries), size):
        # Read anew: what the caller's transaction has cancelled, moved or undone since is not told.
        ids = [entry.id for entry in entries[first : first + size]]
        waiting = Execution.objects.using(using).filter(
            pk__in=ids, status__in=Execution.WAITING, held_by=""
        )
        try:
            enqueue([entry_of(row) for row in waiting.only(*_TOLD)])
        except BrokerUnavailable as error:
            refuse(using, [entry.id for entry in entries[first:]], error)
            return


def _fetch(using: str, ids: Sequence[str]) -> list[Execution]:
    found = Execution.objects.using(using).in_bulk([UUID(id_) for id_ in ids])
    return [found[UUID(id_)] for id_ in ids]


def _due_at(at: datetime | None, after: timedelta | float | None) -> datetime | None:
    if at is not None and after is not None:
        raise ValueError(f"Give 'at' or 'after', not both: at={at!r}, after={after!r}")
    if after is not None and after != 0 and after != timedelta(0):
        wait = read_duration("after", after)
        try:
            return None if wait is None else now() + wait
        except OverflowError:
            raise ValueError(f"'after' leads past the year 9999: {after!r}") from None
    return None if at is None else aware("at", at)
