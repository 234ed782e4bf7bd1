"""What must hold after everything that happens: the oracles of the tests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django_agenda.clock import unix_ms
from django_agenda.models import Batch, Execution, Worker
from django_agenda.scheduling.rollup import rollup_of

if TYPE_CHECKING:
    import redis

PERMANENT = ("{test}:queues", "{test}:filled", "{test}:wake")


def assert_counters_equal_rows(batch: Batch) -> Batch:
    """Return the batch as it stands, once its eight counts equal its rows and make up its total.

    Rows that were pruned are in its rollup.
    """
    fresh = Batch.objects.get(pk=batch.pk)
    rows = Counter(fresh.executions.values_list("status", flat=True))
    pruned = rollup_of(fresh)
    rows.update({status: pruned.total(status) for status in pruned.counts})
    counted = {name: getattr(fresh, name) for name in Batch.COUNTS}
    assert counted == {name: rows[name] for name in Batch.COUNTS}, f"{counted} against {rows}"
    assert sum(counted.values()) == fresh.total
    assert (fresh.finished_at is not None) == (fresh.done == fresh.total)
    return fresh


def assert_sound() -> None:
    """Hold every row against what must be true of it, whatever happened before."""
    for batch in Batch.objects.all():
        assert_counters_equal_rows(batch)
        assert (batch.live_key is None) == (batch.key is None or batch.is_finished), batch
    for row in Execution.objects.defer("args", "kwargs", "return_value"):
        assert (row.finished_at is None) == row.is_live, f"{row.pk} {row.status}"
        assert row.live_key in ((row.key,) if row.is_live else (None,)), f"{row.pk} {row.status}"
        assert (row.claimed_by is None) or row.status == "running", f"{row.pk} {row.status}"


def assert_all_ended() -> None:
    """Hold that nothing waits, nothing runs, and no worker is left behind as living."""
    left = Counter(Execution.objects.live().values_list("status", flat=True))
    assert not left, left
    assert not Worker.objects.filter(status__in=Worker.LIVING).exists()


def ids_in_redis(client: redis.Redis) -> set[UUID]:
    """Return the id of every execution that Redis knows."""
    keys = [*client.scan_iter("{test}:due:*"), *client.scan_iter("{test}:ready:*")]
    return {UUID(str(id_)) for key in keys for id_ in client.zrange(str(key), 0, -1)}


def assert_no_key_is_forgotten(client: redis.Redis) -> None:
    """Hold that Redis keeps nothing for ever but the fixed keys, and no id without a live row.

    An id whose moment has come may be stale: the next claim drops it.
    """
    eternal = {str(key) for key in client.scan_iter() if client.ttl(str(key)) == -1}
    strange = {
        key for key in eternal if not key.startswith(("{test}:due:", "{test}:ready:", *PERMANENT))
    }
    assert not strange, f"These keys live forever: {strange}"
    ids = {id_ for id_, due_ms in moments_in_redis(client).items() if due_ms > unix_ms()}
    live = set(Execution.objects.live().filter(pk__in=ids).values_list("pk", flat=True))
    assert ids == live, f"Redis holds ids of no live execution: {ids - live}"


def moments_in_redis(client: redis.Redis) -> dict[UUID, int]:
    """Return the moment, in milliseconds since 1970, of everything that is not due yet."""
    moments: dict[UUID, int] = {}
    for key in client.scan_iter("{test}:due:*"):
        pairs: Any = client.zrange(str(key), 0, -1, withscores=True)
        moments |= {UUID(str(id_)): int(score) // 256 for id_, score in pairs}
    return moments
