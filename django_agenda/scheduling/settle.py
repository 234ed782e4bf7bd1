"""Bring the rows of a batch in line with whether it is paused, chunk by chunk.

`paused_at` alone decides what is started; `held_by` shows it on each row, and keeps the row out of
the broker. `settling_since` stands on the batch until all rows have followed, so that the
caretaker goes on where a process died. Each chunk locks its rows, then the batch, and undoes
itself when the batch has changed its mind: whoever changed it settles after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from django.db import transaction

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction, update_again

from .enqueue import enqueue_batch, tell
from .hold import hold, release

_HELD_BY = {True: Execution.UNASKED, False: (Execution.BATCH_PAUSED,)}


class _Changed(Exception):
    """Stop: somebody has paused or resumed the batch meanwhile."""


def settle(using: str, batch_id: int) -> int:
    """Hold or let go of every waiting row of a batch, as the batch says; return how many.

    Can be repeated by anybody at any time. What was never enqueued is enqueued on release.
    """
    batch = Batch.objects.using(using).filter(pk=batch_id).first()
    if batch is None:
        return 0
    is_paused = batch.paused_at is not None
    try:
        count = sweep(using, batch_id, is_paused=is_paused)
    except _Changed:
        return 0
    same = Batch.objects.using(using).filter(pk=batch_id, paused_at=batch.paused_at)
    settled = same.filter(settling_since=batch.settling_since)
    update_again(settled, settling_since=None)
    if not is_paused:
        transaction.on_commit(partial(enqueue_batch, using, batch_id), using=using)
    return count


def settle_all(using: str) -> int:
    """Settle the batches whose rows have not followed for a while; return how many rows did."""
    late = Batch.objects.using(using).filter(
        settling_since__isnull=False, settling_since__lt=now() - get_settings().ENQUEUE_GRACE
    )
    return sum(settle(using, batch_id) for batch_id in late.values_list("pk", flat=True)[:100])


def sweep(using: str, batch_id: int, *, is_paused: bool, verify: bool = True) -> int:
    """Hold the rows of a batch, or let go of those that it holds; return how many.

    Without `verify` the batch is not asked, nor locked.
    """
    batch = Batch.objects.using(using).get(pk=batch_id)
    step = _hold if is_paused else _let_go
    expected = is_paused if verify else None
    count = 0
    for ids in _pages(using, batch, _HELD_BY[is_paused]):
        count += in_transaction(using, partial(_sweep_page, step, using, batch, ids, expected))
    return count


def _sweep_page(
    step: Callable[[str, Batch, list[str]], int],
    using: str,
    batch: Batch,
    ids: list[str],
    is_paused: bool | None,
) -> int:
    count = step(using, batch, ids)
    if is_paused is not None and _is_paused(using, batch.pk) is not is_paused:
        raise _Changed
    return count


def _hold(using: str, batch: Batch, ids: list[str]) -> int:
    withdrawn = hold(using, ids, Execution.BATCH_PAUSED)
    transaction.on_commit(partial(tell, withdrawn, []), using=using)
    return len(withdrawn)


def _let_go(using: str, batch: Batch, ids: list[str]) -> int:
    released = release(using, ids, Execution.BATCH_PAUSED)
    # The rest is pending, or beyond the mark: it comes with enqueue_batch().
    told = [
        one.entry
        for one in released
        if one.position < batch.told_until and one.status == Execution.Status.SCHEDULED
    ]
    transaction.on_commit(partial(tell, [], told), using=using)
    return len(released)


def _pages(using: str, batch: Batch, held_by: tuple[str, ...]) -> Iterator[list[str]]:
    size = get_settings().CHUNK_SIZE
    rows = Execution.objects.using(using).filter(
        batch=batch, status__in=Execution.WAITING, held_by__in=held_by
    )
    for first in range(0, batch.total, size):
        page = rows.filter(position__gte=first, position__lt=first + size)
        if ids := [id_.hex for id_ in page.order_by().values_list("pk", flat=True)]:
            yield ids


def _is_paused(using: str, batch_id: int) -> bool:
    locked = Batch.objects.using(using).select_for_update().filter(pk=batch_id)
    return locked.values_list("paused_at", flat=True).get() is not None
