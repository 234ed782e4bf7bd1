"""What the page of a large batch draws, counted once when the batch has ended.

Counting a million rows takes seconds; what has ended does not change. It is not counted in the
transaction that ends the batch but soon after, by the caretaker, some rows at a time. The version
of the batch is its guard: one that was reopened, or pruned, has another, and gets another digest
at its next end; until then pages count the rows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from django.db.models import F, Max, QuerySet

from django_agenda.clock import monotonic
from django_agenda.models.batch import Batch
from django_agenda.models.digest import Digest
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction

from .count import (
    Kind,
    Kinds,
    Lags,
    Outcomes,
    Runs,
    count_failures,
    count_lags,
    count_outcomes,
    count_runs,
)
from .grid import Grid

# Seconds: what one look may cost, and how long after the last of them the next walk begins.
BUDGET = 0.2
REST = 5.0
ROWS_A_STEP = 25_000

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True, kw_only=True)
class Counted:
    """Hold the counts of all executions of a batch that are planned in a span."""

    grid: Grid
    outcomes: Outcomes = field(default_factory=Counter)
    lags: Lags = field(default_factory=Counter)
    runs: Runs = field(default_factory=partial(Runs, {}, None, None, None))
    kinds: Kinds = field(default_factory=partial(Kinds, [], 0))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what text() has written."""
        given = json.loads(text)
        steps, *ends = given["runs"]
        return cls(
            grid=Grid(*given["grid"]),
            outcomes=Counter(
                {(status, place): n for status, line in given["outcomes"] for place, n in line}
            ),
            lags=Counter({(place, step): n for place, line in given["lags"] for step, n in line}),
            runs=Runs(dict(steps), *ends),
            kinds=Kinds([Kind(*kind) for kind in given["largest"]], given["more"]),
        )

    def text(self) -> str:
        """Return it as the column holds it."""
        value: dict[str, Any] = {
            "grid": self.grid,
            "outcomes": _by_first(self.outcomes),
            "lags": _by_first(self.lags),
            "runs": [sorted(self.runs.steps.items()), *self.runs[1:]],
            "largest": self.kinds.largest,
            "more": self.kinds.more,
        }
        return json.dumps(value, separators=(",", ":"))

    def add(self, rows: QuerySet[Execution], start: datetime) -> None:
        """Count further rows, but not their failures."""
        self.outcomes.update(count_outcomes(rows, self.grid))
        self.lags.update(count_lags(rows, self.grid))
        self.runs = _together(self.runs, count_runs(rows, self.grid, start))


class Digests:
    """Go on with one walk over what has ended, at each look for some tenths of a second."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._steps: Iterator[None] | None = None
        self._rests_until = 0.0

    def write(self) -> None:
        """Count for a while if something large has ended that is not counted yet."""
        began = monotonic()
        if began < self._rests_until:
            return
        steps = self._steps or write_digests(self._using)
        self._steps = None  # so that a walk that fails is begun anew
        for _ in steps:
            if monotonic() - began > BUDGET:
                self._steps = steps
                return
        self._rests_until = monotonic() + REST


def digest_of(batch: Batch) -> Counted | None:
    """Return what was counted of a batch as it stands now."""
    if not batch.is_finished or batch.total <= Batch.LARGE:
        return None
    found = Digest.objects.using(batch._state.db).filter(batch=batch, version=batch.version)
    text = found.values_list("text", flat=True).first()
    return Counted.read(text) if text else None


def write_digests(using: str) -> Iterator[None]:
    """Count every large batch that has ended and was not counted since, the latest first.

    Each step is bounded. Can be repeated by anybody at any time; what is half done begins anew.
    """
    ended = Batch.objects.using(using).filter(
        total__gt=Batch.LARGE, finished_at__isnull=False, rollup=""
    )
    known = Digest.objects.using(using).filter(version=F("batch__version")).values("batch")
    for batch in list(ended.exclude(pk__in=known).order_by("-finished_at")):
        yield from _write(using, batch)


def _write(using: str, batch: Batch) -> Iterator[None]:
    rows = Execution.objects.using(using).filter(batch=batch).order_by()
    window_ms = max(-(-batch.over // _MILLISECOND), 1)
    last = rows.aggregate(last=Max("planned_offset_ms"))["last"] or 0
    counted = Counted(grid=Grid.over(0, max(window_ms, last)))
    for first in range(0, batch.total, ROWS_A_STEP):
        step = rows.filter(position__gte=first, position__lt=first + ROWS_A_STEP)
        counted.add(step, batch.start)
        yield
    counted.kinds = count_failures(rows, Grid.over(0, window_ms), batch.start)
    yield
    in_transaction(using, partial(_store, using, batch, counted.text()))
    yield


def _store(using: str, batch: Batch, text: str) -> None:
    same = Batch.objects.using(using).filter(pk=batch.pk, version=batch.version)
    if same.select_for_update().values_list("pk").first() is not None:
        values = {"version": batch.version, "text": text}
        Digest.objects.using(using).update_or_create(batch_id=batch.pk, defaults=values)


def _by_first(counts: Counter[Any]) -> list[tuple[Any, list[tuple[int, int]]]]:
    lines: dict[Any, list[tuple[int, int]]] = {}
    for (first, second), number in sorted(counts.items()):
        lines.setdefault(first, []).append((second, number))
    return list(lines.items())


def _together(some: Runs, others: Runs) -> Runs:
    def known(*values: int | None) -> list[int]:
        return [value for value in values if value is not None]

    return Runs(
        dict(Counter(some.steps) + Counter(others.steps)),
        max(known(some.longest_lag_ms, others.longest_lag_ms), default=None),
        min(known(some.first_start_ms, others.first_start_ms), default=None),
        max(known(some.last_end_ms, others.last_end_ms), default=None),
    )
