"""Change many rows in chunks: each chunk with its counts and callbacks, then the broker is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from django.db import connections, transaction
from django.db.models import QuerySet

from django_agenda.broker import broker
from django_agenda.broker.entry import Entry
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models import counters
from django_agenda.models.execution import Execution

from .callbacks import fire
from .enqueue import enqueue
from .hold import hold_members

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


def carry_out(using: str, ids: Ids, change: Callable[[list[str]], Changed]) -> int:
    """Let `change` change the rows of one chunk after the other; return how many it did.

    Each chunk is a transaction: what is done stays done when a later one fails. Inside a
    transaction of the caller there is one, and its batches are locked last of all, because claims
    lock rows first as well.
    """
    if not connections[using].in_atomic_block:
        return sum(_in_one(using, [page], change) for page in ids.pages())
    return _in_one(using, ids.pages(), change)


def _in_one(
    using: str, pages: Iterator[list[str]] | list[list[str]], change: Callable[[list[str]], Changed]
) -> int:
    with transaction.atomic(using):
        parts = [change(page) for page in pages]
        states = counters.apply(
            using, counters.tally(move for part in parts for move in part.moves)
        )
        waiting = {id_: batch for part in parts for id_, batch in part.waiting.items()}
        held = hold_members(using, states, waiting)
        entries = [one for part in parts for one in part.entries if one.id not in held]
        entries += fire(using, states)
        withdrawn = [one for part in parts for one in part.withdrawn]
        transaction.on_commit(partial(tell, withdrawn, entries), using=using)
    return sum(part.count for part in parts)


def tell(withdrawn: Sequence[tuple[str, str]], entries: Sequence[Entry]) -> None:
    """Withdraw and enqueue, after the commit.

    A broker that cannot be told does no harm: the claim refuses what has ended or is held, and
    the overdue scan finds what is missing.
    """
    with suppress(BrokerUnavailable):
        broker.remove(withdrawn)
        enqueue(entries)
