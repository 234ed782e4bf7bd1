"""How late started what was due in the last minutes: a bounded sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

MOST = 5000
_MOST_BATCHES = 20
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Hold quantiles in milliseconds of what started; None when nothing did."""

    count: int
    p50_ms: int | None
    p95_ms: int | None
    max_ms: int | None


def recent_lateness(using: str, moment: datetime, over: timedelta) -> Lateness:
    """Look at what was due between `over` before that moment and then.

    It reads the plans of the latest batches through their index, and the latest single
    executions: at most MOST rows of either, however many there are.
    """
    lags = sorted([*_of_batches(using, moment, over), *_of_singles(using, moment, over)])
    return Lateness(
        count=len(lags),
        p50_ms=_quantile(lags, 0.5),
        p95_ms=_quantile(lags, 0.95),
        max_ms=lags[-1] if lags else None,
    )


def _of_batches(using: str, moment: datetime, over: timedelta) -> Iterator[int]:
    active = Batch.objects.using(using).filter(
        Q(finished_at=None) | Q(finished_at__gte=moment - over), start__lte=moment
    )
    left = MOST
    for pk, start in active.order_by("-pk").values_list("pk", "start")[:_MOST_BATCHES]:
        last = (moment - start) // _MILLISECOND
        rows = Execution.objects.using(using).filter(
            batch=pk, planned_offset_ms__range=(last - over // _MILLISECOND, last)
        )
        for lag in rows.order_by("-planned_offset_ms").values_list("lag_ms", flat=True)[:left]:
            left -= 1
            if lag is not None:
                yield lag


def _of_singles(using: str, moment: datetime, over: timedelta) -> Iterator[int]:
    rows = Execution.objects.using(using).order_by("-pk")
    latest: Iterable[tuple[int | None, datetime, int | None]] = rows.values_list(
        "batch_id", "due_at", "lag_ms"
    )[:MOST]
    for batch, due_at, lag in latest:
        if batch is None and lag is not None and moment - over <= due_at <= moment:
            yield lag


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    return ordered[round(share * (len(ordered) - 1))] if ordered else None
