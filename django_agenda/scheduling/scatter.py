"""Spread, write down, enqueue: one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, NoReturn, Self

from django.db import IntegrityError, router, transaction

from django_agenda.broker.entry import Entry
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable, PartiallyScheduled, UnknownTask
from django_agenda.models import counters
from django_agenda.models.batch import Batch
from django_agenda.models.transactions import in_transaction
from django_agenda.policies.timeout import read_duration
from django_agenda.signals import batch_scattered
from django_agenda.tasks.call import Call, check_key, is_storable, labels_text, point_at
from django_agenda.tasks.context import running_id
from django_agenda.tasks.payload import encode_arguments
from django_agenda.tasks.registry import resolve
from django_agenda.tasks.task import Task, check_priority, check_queue_name
from django_agenda.timing.spread import Slot
from django_agenda.timing.window import Window

from .breaker import check_max_failures
from .callbacks import fire
from .enqueue import enqueue, enqueue_batch
from .write import Overrides, Place, Plan, write, write_skipped

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold what a scatter says of its batch, checked."""

    columns: dict[str, Any]
    overrides: Overrides
    labels: tuple[str, ...]

    @classmethod
    def read(
        cls,
        *,
        strategy: Any,
        name: str,
        key: str | None,
        labels: Any,
        queue_name: str | None,
        priority: int | None,
        expires: Any = None,
        max_failures: Any = None,
        **rest: Any,
    ) -> Self:
        """Check every option; the error names the one that is wrong."""
        if not isinstance(name, str):
            raise TypeError(f"'name' must be a text, not {name!r}")
        if len(name) > 255:
            raise ValueError(f"'name' must have at most 255 characters, not {len(name)}")
        if not is_storable(name):
            raise ValueError(
                f"'name' must hold no NUL and no half of a surrogate pair: {name!r:.80}"
            )
        labels_text(labels)
        callbacks = {
            event: "" if rest.get(event) is None else resolve(rest[event]).name
            for event in ("on_success", "on_failure", "on_complete")
        }
        columns: dict[str, Any] = {"name": name, "key": check_key(key), **callbacks}
        columns["labels"] = list(labels)
        columns["max_failures"] = check_max_failures(max_failures)
        columns |= {"jitter": _check_jitter(rest["jitter"]), "seed": _check_seed(rest["seed"])}
        columns["strategy"] = strategy if isinstance(strategy, str) else _name_of(strategy)
        overrides = Overrides(
            queue_name=None if queue_name is None else check_queue_name(queue_name),
            priority=None if priority is None else check_priority(priority),
            expires=read_duration("expires", expires),
        )
        return cls(columns=columns, overrides=overrides, labels=tuple(labels))


def scatter(
    calls: Iterable[Call],
    count: int,
    window: Window,
    slots: Callable[[], Iterator[Slot]],
    options: Options,
    *,
    progress: Progress | None = None,
    strict: bool = False,
) -> Batch:
    """See Agenda.scatter()."""
    using = router.db_for_write(Batch)
    tasks = _Resolved()
    if isinstance(calls, list):
        for number, call in enumerate(calls):
            _checked(call)
            try:
                tasks.of(call)
            except (TypeError, ValueError, UnknownTask) as error:
                point_at(error, number, call)
                raise
    told: list[BrokerUnavailable] = []

    def write_down() -> Batch:
        batch, is_new = _open(using, count, window, options)
        if is_new:
            plans = _plans(calls, slots(), window, options, tasks)
            _write_all(using, batch, plans, count, options, progress)
            callbacks = _close_if_ended(using, batch)
            tell = partial(_tell, using, batch.pk, callbacks, told)
            transaction.on_commit(tell, using=using)
        return batch

    is_inner = transaction.get_connection(using).in_atomic_block
    if isinstance(calls, list):
        batch = in_transaction(using, write_down)
    else:
        # What an iterator gave is gone, so there is no second try.
        with transaction.atomic(using):
            batch = write_down()
    batch.refresh_from_db(using=using)
    if strict and told and not is_inner:
        refused = PartiallyScheduled(batch, scheduled=batch.enqueued, pending=batch.pending)
        raise refused from told[0]
    return batch


def _open(using: str, count: int, window: Window, options: Options) -> tuple[Batch, bool]:
    given = {"start": window.start, "over": window.over, "total": count}
    columns = options.columns | given | {"parent_id": running_id()}
    key = columns["key"]
    if key is None:
        return Batch.objects.using(using).create(**columns), True
    while True:
        living = Batch.objects.using(using).filter(live_key=key).first()
        if living is not None:
            return living, False
        try:
            with transaction.atomic(using):
                return Batch.objects.using(using).create(live_key=key, **columns), True
        except IntegrityError:
            # Another process was faster; its batch may even have ended by now.
            continue


def _plans(
    calls: Iterable[Call],
    slots: Iterator[Slot],
    window: Window,
    options: Options,
    tasks: _Resolved,
) -> Iterator[Plan]:
    limit = get_settings().MAX_PAYLOAD_BYTES
    shared = labels_text(options.labels)
    start, over = window.start, timedelta
    for number, call in enumerate(calls):
        _checked(call)
        slot = next(slots, None)
        if slot is None:
            raise ValueError("The agenda gives more calls than its 'count' says")
        try:
            args, kwargs = encode_arguments(call.args, call.kwargs, max_bytes=limit)
            if call.at is not None:
                _refuse_moment(call.at)
            plan = Plan(
                tasks.of(call),
                args,
                kwargs,
                call.key if call.key is None else check_key(call.key),
                labels_text(options.labels, call.labels) if call.labels else shared,
                start + over(microseconds=slot.planned_us),
                slot.planned_us,
                slot.slot_us,
            )
        except (TypeError, ValueError, UnknownTask) as error:
            point_at(error, number, call)
            raise
        yield plan


def _refuse_moment(at: object) -> NoReturn:
    raise ValueError(f"'at' is for schedule_many, a scatter gives the times: {at!r}")


def _checked(call: object) -> Call:
    if not isinstance(call, Call):
        raise TypeError(f"An agenda holds Calls, not {call!r}")
    return call


class _Resolved:
    """Resolve each way in which a task is named once."""

    def __init__(self) -> None:
        self._known: dict[Any, Task[..., Any]] = {}

    def of(self, call: Call) -> Task[..., Any]:
        try:
            return self._known[call.task]
        except (KeyError, TypeError):
            task = self._known[call.task] = resolve(call.task)
            return task


def _write_all(
    using: str,
    batch: Batch,
    plans: Iterator[Plan],
    count: int,
    options: Options,
    progress: Progress | None,
) -> None:
    done = 0
    size = get_settings().CHUNK_SIZE
    while chunk := list(islice(plans, size)):
        place = Place(batch.pk, done, options.overrides)
        written = write(using, chunk, place)
        if written.taken:
            write_skipped(using, chunk, written, place)
        batch.skipped += len(written.taken)
        done += len(chunk)
        if progress is not None:
            progress(done, count)
    if done != count:
        raise ValueError(f"The agenda gives {done} calls, but its 'count' says {count}")


def _close_if_ended(using: str, batch: Batch) -> list[Entry]:
    deltas = {"scheduled": batch.total - batch.skipped, "skipped": batch.skipped}
    return fire(using, counters.apply(using, {batch.pk: deltas}))


def _tell(using: str, batch_id: int, callbacks: list[Entry], told: list[BrokerUnavailable]) -> None:
    error = enqueue_batch(using, batch_id)
    if error is None:
        try:
            enqueue(callbacks)
        except BrokerUnavailable as refusal:
            error = refusal
    if error is not None:
        told.append(error)
    batch = Batch.objects.using(using).filter(pk=batch_id).first()
    batch_scattered.send_robust(Batch, batch=batch)


def _check_jitter(jitter: timedelta | None) -> timedelta | None:
    if jitter is not None and jitter >= timedelta(microseconds=2**63):
        raise ValueError(f"'jitter' is too long: {jitter!r}")
    return jitter


def _check_seed(seed: int | None) -> int | None:
    if seed is not None and not -(2**63) <= seed < 2**63:
        raise ValueError(f"'seed' must fit into 64 bits, {seed} does not")
    return seed


def _name_of(strategy: Any) -> str:
    return str(getattr(strategy, "__qualname__", type(strategy).__qualname__))[:255]
