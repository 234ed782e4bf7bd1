"""Change many rows in chunks: each chunk with its counts and callbacks, then the broker is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from django.db import connections, transaction
from django.db.models import QuerySet

from django_agenda.broker.entry import Entry
from django_agenda.conf import get_settings
from django_agenda.models import counters
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction

from .callbacks import fire
from .enqueue import tell
from .hold import hold_members

P = TypeVar("P")
M = TypeVar("M")

_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Hold what was done to one chunk.

    `moves` are (batch id, status before, status after), `withdrawn` is what leaves the broker as
    (id, queue name), `entries` what it is to have, `waiting` the batch of each row that waits from
    here on and did not before.
    """

    count: int
    moves: Sequence[tuple[int | None, str, str]] = ()
    withdrawn: Sequence[tuple[str, str]] = ()
    entries: Sequence[Entry] = ()
    waiting: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ids:
    """Hold ids in an order, 16 bytes each: a million of them are 16 MB."""

    packed: bytes

    def __len__(self) -> int:
        return len(self.packed) // _BYTES

    def pages(self) -> Iterator[list[str]]:
        """Cut them into lists of CHUNK_SIZE, as 32 hexadecimal digits each."""
        step = get_settings().CHUNK_SIZE * _BYTES
        for first in range(0, len(self.packed), step):
            page = self.packed[first : first + step].hex()
            yield [page[at : at + 2 * _BYTES] for at in range(0, len(page), 2 * _BYTES)]


def collect(executions: QuerySet[Execution], *order: str) -> Ids:
    """Read the ids in one statement: whoever changes rows while paging would lose its place."""
    packed = bytearray()
    rows = executions.order_by(*order).values_list("pk", flat=True)
    for id_ in rows.iterator(chunk_size=get_settings().CHUNK_SIZE):
        packed += id_.bytes
    return Ids(bytes(packed))


def carry_out(using: str, pages: Iterable[P], change: Callable[[P], Changed]) -> int:
    """Let `change` change the rows of one page after the other; return how many it did.

    Each page is a transaction: what is done stays done when a later one fails, and what a deadlock
    undid is done again. Inside a transaction of the caller there is one, and its batches are
    locked last of all, because claims lock rows first as well.
    """
    if not connections[using].in_atomic_block:
        return sum(
            in_transaction(using, partial(_change_all, using, [page], change)) for page in pages
        )
    return in_transaction(using, partial(_change_all, using, pages, change))


def with_moments(
    ids: Ids, moments: Iterator[M] | timedelta
) -> Iterator[tuple[list[str], list[M] | list[timedelta]]]:
    """Cut ids into pages, each with its moments; a timedelta is everybody's."""
    for page in ids.pages():
        if isinstance(moments, timedelta):
            yield page, [moments] * len(page)
        else:
            yield page, list(islice(moments, len(page)))


def _change_all(using: str, pages: Iterable[P], change: Callable[[P], Changed]) -> int:
    parts = [change(page) for page in pages]
    states = counters.apply(using, counters.tally(move for part in parts for move in part.moves))
    waiting = {id_: batch for part in parts for id_, batch in part.waiting.items()}
    held = hold_members(using, states, waiting)
    entries = [one for part in parts for one in part.entries if one.id not in held]
    entries += fire(using, states)
    withdrawn = [one for part in parts for one in part.withdrawn]
    transaction.on_commit(partial(tell, withdrawn, entries), using=using)
    return sum(part.count for part in parts)
