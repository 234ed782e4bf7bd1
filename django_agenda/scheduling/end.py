"""End executions that wait: whoever changes the row first decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import connections, transaction
from django.db.models import Value

from django_agenda.clock import now
from django_agenda.models import bulk, counters
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction

from .callbacks import fire
from .enqueue import tell


def end_waiting(
    using: str,
    ids: Sequence[str],
    status: Execution.Status,
    *,
    changes: Mapping[str, str | Value] | None = None,
    guard: str = "1 = 1",
    guard_params: Sequence[Any] = (),
) -> int:
    """Give those of these executions that still wait, and pass the guard, a final status.

    Frees their keys, counts them, and withdraws them from the broker after the commit. Returns
    how many there were.
    """

    def end() -> int:
        withdrawn: list[tuple[str, str]] = []
        moves: list[tuple[int | None, str, str]] = []
        for before in Execution.WAITING:
            ended = bulk.update(
                using,
                Execution,
                ("id",),
                [[id_] for id_ in sorted(ids)],
                changes={
                    "status": Value(status.value),
                    "finished_at": Value(bulk.moment_text(now(), connections[using])),
                    "live_key": "NULL",
                    "held_by": "''",
                    "gate": "NULL",
                    **(changes or {}),
                },
                guard=f"e.status = '{before.value}' AND {guard}",
                guard_params=guard_params,
                returning=("id", "queue_name", "batch"),
            )
            withdrawn += [(bulk.read_id(row[0]), row[1]) for row in ended]
            moves += [(row[2], before.value, status.value) for row in ended]
        callbacks = fire(using, counters.apply(using, counters.tally(moves)))
        transaction.on_commit(partial(tell, withdrawn, callbacks), using=using)
        return len(withdrawn)

    return in_transaction(using, end)
