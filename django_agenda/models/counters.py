"""Keep the counts of a batch equal to its rows, in the transaction that changes the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db import connections

from django_agenda.clock import now

from . import bulk
from .batch import Batch

Deltas = Mapping[int, Mapping[str, int]]

_ENDED = " + ".join(f"(e.{name} + x.{name})" for name in Batch.ENDED)
_ALL_ENDED = f"e.total = {_ENDED}"


class BatchState(NamedTuple):
    """Hold what a count's change tells: enough to know that a batch has ended, and whom to call."""

    id: int
    total: int
    succeeded: int
    failed: int
    missed: int
    is_finished: bool
    is_paused: bool
    status: str
    max_failures: float | None
    forgiven_failures: int
    forgiven_outcomes: int
    on_success: str
    on_failure: str
    on_complete: str
    callbacks_fired: int


def tally(moves: Iterable[tuple[int | None, str, str]]) -> dict[int, Counter[str]]:
    """Sum moves of (batch id, status before, status after) into deltas; no batch, no delta."""
    deltas: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for (batch_id, before, after), count in Counter(moves).items():
        if batch_id is not None and before != after:
            deltas[batch_id][before] -= count
            deltas[batch_id][after] += count
    return deltas


def apply(using: str, deltas: Deltas) -> list[BatchState]:
    """Add the deltas, close what has ended, and return how those batches stand now.

    Must be the last statement of a transaction that also changed the rows: it locks the batches,
    in the order of their ids.
    """
    if not deltas:
        return []
    connection = connections[using]
    moment = bulk.moment_text(now(), connection)
    rows = [
        [batch_id, *(deltas[batch_id].get(name, 0) for name in Batch.COUNTS), moment, moment]
        for batch_id in sorted(deltas)
    ]
    if len(rows) > 1 and connection.vendor == "postgresql":
        list(
            Batch.objects.using(using)
            .filter(pk__in=list(deltas))
            .order_by("pk")
            .select_for_update()
            .values_list("pk")
        )
    found = bulk.update(
        using,
        Batch,
        ("id", *Batch.COUNTS, "started_at", "finished_at"),
        rows,
        changes={
            # First, because MySQL reads what earlier assignments of a statement have written.
            "finished_at": f"CASE WHEN {_ALL_ENDED} THEN x.finished_at END",
            "started_at": (
                "CASE WHEN e.started_at IS NULL AND e.paused_at IS NULL AND x.running > 0"
                " THEN x.started_at ELSE e.started_at END"
            ),
            "live_key": f"CASE WHEN {_ALL_ENDED} THEN NULL ELSE e.live_key END",
            **{name: f"e.{name} + x.{name}" for name in Batch.COUNTS},
            "version": "e.version + 1",
        },
        returning=_RETURNED,
    )
    return [
        BatchState._make((*row[:5], row[5] is not None, row[6] is not None, *row[7:]))
        for row in found
    ]


_COLUMNS = {"is_finished": "finished_at", "is_paused": "paused_at"}
_RETURNED = tuple(_COLUMNS.get(name, name) for name in BatchState._fields)
