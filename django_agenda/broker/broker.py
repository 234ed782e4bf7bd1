"""What is due when: add, claim, remove, and look."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import NamedTuple

from redis.exceptions import RedisError

from django_agenda.exceptions import BrokerUnavailable

from . import keys
from .connection import client
from .entry import Entry
from .scripts import script

_FILLING = "filling"
_ID = re.compile("[0-9a-f]{32}")


class Claims(NamedTuple):
    """Hold what one claim popped.

    `now_us` is the server's clock in microseconds, `more` says that due ids were left behind,
    `next_due_ms` is the moment of the next id that was left (None: there is none).
    """

    now_us: int
    more: bool
    next_due_ms: int | None
    ids: list[str]


def add(entries: Iterable[Entry]) -> int:
    """Put entries in, or move those that are there already; return how many are new.

    One call a queue.

    Raises BrokerUnavailable when the server refuses or cannot be reached. Adding again is
    harmless, so whoever does not know what became of a call may repeat it.
    """
    by_queue: defaultdict[str, list[str | int]] = defaultdict(list)
    for entry in entries:
        by_queue[entry.queue_name] += (entry.due_ms * 256 + 100 - entry.priority, entry.id)
    added = 0
    with _errors_named():
        for queue_name, scored in by_queue.items():
            named = (keys.due(queue_name), keys.wake(queue_name), keys.queues(), keys.wake_all())
            added += script("add").run(client(), named, (queue_name, *scored))
    return added


def claim(queue_names: Sequence[str], *, limit: int, ahead: int, reach_ms: int) -> Claims:
    """Pop up to `limit` ids that are due, and `ahead` more that are due within `reach_ms`."""
    named = [
        key
        for queue_name in queue_names
        for key in (keys.due(queue_name), keys.ready(queue_name), keys.wake(queue_name))
    ]
    named.append(keys.paused())
    with _errors_named():
        now_us, more, next_due, *ids = script("claim").run(
            client(), named, (limit, ahead, reach_ms, *queue_names)
        )
    own = [id_ for id_ in ids if _ID.fullmatch(id_)]  # what others wrote there is dropped
    return Claims(int(now_us), bool(more), None if next_due < 0 else next_due, own)


def pause(queue_names: Collection[str]) -> None:
    """Pop nothing more from these queues; what they hold stays in."""
    if queue_names:
        with _errors_named():
            client().sadd(keys.paused(), *queue_names)


def resume(queue_names: Collection[str]) -> None:
    """Pop from these queues again, and wake a worker for each."""
    with _errors_named():
        for queue_name in queue_names:
            client().srem(keys.paused(), queue_name)
            script("wake").run(client(), (keys.wake(queue_name),), ())


def paused_queues() -> set[str]:
    """Return the names of the queues that nothing is popped from."""
    with _errors_named():
        return set(map(str, client().smembers(keys.paused())))


def remove(entries: Iterable[tuple[str, str]]) -> None:
    """Take out ids, given as (id, queue name); those that are not there are passed over."""
    by_queue: defaultdict[str, list[str]] = defaultdict(list)
    for id_, queue_name in entries:
        by_queue[queue_name].append(id_)
    with _errors_named():
        for queue_name, ids in by_queue.items():
            named = (keys.due(queue_name), keys.ready(queue_name))
            script("remove").run(client(), named, ids)


def missing(entries: Collection[Entry]) -> list[Entry]:
    """Return those entries that the server does not hold."""
    lacking: list[Entry] = []
    by_queue: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_queue[entry.queue_name].append(entry)
    with _errors_named():
        for queue_name, group in by_queue.items():
            ids = [entry.id for entry in group]
            due = client().zmscore(keys.due(queue_name), ids)
            ready = client().zmscore(keys.ready(queue_name), ids)
            held = zip(group, due, ready, strict=True)
            lacking += [entry for entry, one, other in held if one is None and other is None]
    return lacking


def astray(entries: Collection[Entry]) -> list[Entry]:
    """Return those entries that the server does not hold, or holds at another moment."""
    found: list[Entry] = []
    by_queue: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_queue[entry.queue_name].append(entry)
    with _errors_named():
        for queue_name, group in by_queue.items():
            ids = [entry.id for entry in group]
            due = client().zmscore(keys.due(queue_name), ids)
            ready = client().zmscore(keys.ready(queue_name), ids)
            for entry, score, rank in zip(group, due, ready, strict=True):
                is_right = score is not None and int(score) // 256 == entry.due_ms
                if not is_right and rank is None:
                    found.append(entry)
    return found


def held(queue_name: str, size: int) -> Iterator[list[str]]:
    """Walk over the ids that a queue holds, about `size` at a time; some may come twice."""
    for key in (keys.due(queue_name), keys.ready(queue_name)):
        cursor = 0
        while True:
            with _errors_named():
                cursor, found = client().zscan(key, cursor, count=size)
            yield [id_ for id_, _ in found if isinstance(id_, str) and _ID.fullmatch(id_)]
            if not cursor:
                break


def queue_names() -> list[str]:
    """Return the names of all queues that were ever used, in alphabetical order."""
    with _errors_named():
        return sorted(map(str, client().smembers(keys.queues())))


def sizes() -> dict[str, int]:
    """Return how many ids each queue holds."""
    with _errors_named():
        return {
            name: client().zcard(keys.due(name)) + client().zcard(keys.ready(name))
            for name in queue_names()
        }


def memory() -> int:
    """Return how many bytes the server uses, for everything that it holds."""
    with _errors_named():
        return int(client().info("memory")["used_memory"])


def wait_for_wake(queue_names: Sequence[str], *, every_queue: bool, seconds: float) -> bool:
    """Block until a queue's head becomes earlier, at most so long; tell whether it did."""
    named = [keys.wake(name) for name in queue_names]
    if every_queue:
        named.append(keys.wake_all())
    with _errors_named():
        return client(blocks_for=seconds).blpop(named, timeout=seconds) is not None


def wake_for_schedules() -> None:
    """Wake whoever fires the ticks of schedules: one of them is due earlier than it was."""
    with _errors_named():
        script("wake").run(client(), (keys.wake_schedules(),), ())


def wait_for_schedules(*, seconds: float) -> bool:
    """Block until a tick is due earlier than it was, at most so long; tell whether one is."""
    with _errors_named():
        blocking = client(blocks_for=seconds)
        return blocking.blpop([keys.wake_schedules()], timeout=seconds) is not None


def is_filled(*, same_server: bool = True) -> bool:
    """Tell whether this server was told of everything; `same_server` asks for its name as well.

    A flush takes the mark with it. A server that was started anew from an old file, or took over,
    has the mark of another one.
    """
    with _errors_named():
        mark = client().get(keys.filled())
        if same_server:
            return bool(mark == _run_id())
        return mark is not None and not str(mark).startswith(_FILLING)


def begin_filling() -> str:
    """Note that a refill is under way, and return the note; a flush forgets it."""
    note = f"{_FILLING} {token_hex(8)}"
    with _errors_named():
        client().set(keys.filled(), note)
    return note


def mark_filled(note: str) -> bool:
    """Mark that this server holds everything, unless it has forgotten the note meanwhile."""
    with _errors_named():
        return bool(script("mark").run(client(), [keys.filled()], [note, _run_id()]))


def ping() -> None:
    """Raise BrokerUnavailable unless the server answers."""
    with _errors_named():
        client().ping()


def _run_id() -> str:
    return str(client().info("server")["run_id"])


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
