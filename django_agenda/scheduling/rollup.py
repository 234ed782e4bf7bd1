"""What is kept of a batch's executions when their rows are gone: counts, mostly under 10 KB.

A rollup holds what was pruned and nothing else, and can be added to: rows and rollup together are
the batch at any moment, also when it is pruned in parts, or reopened in between.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from django_agenda.models.batch import Batch
from django_agenda.timing.steps import step_of

SLICES = 160
FOLD = 4
MOST_FAILURES = 24
LONGEST_MESSAGE = 200

_VERSION = 1
_MILLISECOND = timedelta(milliseconds=1)


class Member(NamedTuple):
    """Hold what a rollup takes from an execution; the fields are columns of the model."""

    batch_id: int | None
    status: str
    planned_offset_ms: int
    lag_ms: int | None
    run_ms: int | None
    failed_stage: str
    error_class: str
    error_message: str
    error_fingerprint: str
    finished_at: datetime | None = None

    def ended_ms(self, start: datetime) -> int:
        """Return when it ended, counted from there; by its plan when nobody knows."""
        if self.finished_at is None:
            return self.planned_offset_ms + (self.lag_ms or 0) + (self.run_ms or 0)
        return (self.finished_at - start) // _MILLISECOND


@dataclass(slots=True, kw_only=True)
class Failure:
    """Hold one problem: how many met it, when, and the words of one of them."""

    fingerprint: str
    stage: str
    error_class: str
    message: str
    count: int
    first_ms: int
    last_ms: int


@dataclass(slots=True, kw_only=True)
class Rollup:
    """Count executions by status and slice of the window, their times, and their failures.

    The slices begin at the start of the batch and are `width_ms` wide; `late` counts (slice //
    FOLD, bits of the lateness in ms). `other_failures` are those in groups too small to be kept.
    """

    width_ms: int
    counts: dict[str, Counter[int]] = field(default_factory=dict)
    late: Counter[tuple[int, int]] = field(default_factory=Counter)
    lag: Counter[int] = field(default_factory=Counter)
    run: Counter[int] = field(default_factory=Counter)
    longest_lag_ms: int | None = None
    first_start_ms: int | None = None
    last_end_ms: int | None = None
    failures: dict[str, Failure] = field(default_factory=dict)
    other_failures: int = 0

    @classmethod
    def of(cls, over: timedelta, text: str) -> Self:
        """Read what a batch of that window holds; an empty text is an empty rollup."""
        if text:
            return cls.read(text)
        return cls(width_ms=max(1, -(-(over // _MILLISECOND) // SLICES)))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what text() has written."""
        given = json.loads(text)
        return cls(
            width_ms=given["width_ms"],
            counts={status: Counter(dict(pairs)) for status, pairs in given["counts"].items()},
            late=Counter({(place, bits): count for place, bits, count in given["late"]}),
            lag=Counter(dict(given["lag"])),
            run=Counter(dict(given["run"])),
            failures={one["fingerprint"]: Failure(**one) for one in given["failures"]},
            **{name: given[name] for name in _PLAIN},
        )

    def text(self) -> str:
        """Return it as the column holds it; the smallest failure groups are let go of."""
        largest = sorted(self.failures.values(), key=lambda one: (-one.count, one.fingerprint))
        kept, rest = largest[:MOST_FAILURES], largest[MOST_FAILURES:]
        value: dict[str, Any] = {
            "version": _VERSION,
            "width_ms": self.width_ms,
            "counts": {status: sorted(line.items()) for status, line in self.counts.items()},
            "late": [[*cell, count] for cell, count in sorted(self.late.items())],
            "lag": sorted(self.lag.items()),
            "run": sorted(self.run.items()),
            "failures": [asdict(one) for one in kept],
            **{name: getattr(self, name) for name in _PLAIN},
        }
        value["other_failures"] += sum(one.count for one in rest)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def total(self, status: str) -> int:
        """Return how many of a status it holds."""
        return sum(self.counts.get(status, Counter()).values())

    def add(self, row: Member, start: datetime) -> None:
        """Take in one execution of the batch that starts there."""
        place = min(max(row.planned_offset_ms // self.width_ms, 0), SLICES - 1)
        self.counts.setdefault(row.status, Counter())[place] += 1
        end = row.ended_ms(start)
        if row.lag_ms is not None:
            self._add_times(row, place, row.lag_ms, end)
        if row.error_fingerprint and row.status in ("failed", "missed"):
            self._add_failure(row, end)

    def _add_times(self, row: Member, place: int, lag_ms: int, end: int) -> None:
        start = end - (row.run_ms or 0)
        self.late[place // FOLD, lag_ms.bit_length()] += 1
        self.lag[step_of(lag_ms)] += 1
        self.longest_lag_ms = max(lag_ms, self.longest_lag_ms or 0)
        first, last = self.first_start_ms, self.last_end_ms
        self.first_start_ms = start if first is None else min(start, first)
        if row.run_ms is not None:
            self.run[step_of(row.run_ms)] += 1
            self.last_end_ms = end if last is None else max(end, last)

    def _add_failure(self, row: Member, end: int) -> None:
        known = self.failures.get(row.error_fingerprint)
        if known is None:
            self.failures[row.error_fingerprint] = Failure(
                fingerprint=row.error_fingerprint,
                stage=row.failed_stage,
                error_class=row.error_class,
                message=row.error_message[:LONGEST_MESSAGE],
                count=1,
                first_ms=end,
                last_ms=end,
            )
            return
        known.count += 1
        known.first_ms = min(known.first_ms, end)
        known.last_ms = max(known.last_ms, end)


def rollup_of(batch: Batch) -> Rollup:
    """Return what was pruned of a batch."""
    return Rollup.of(batch.over, batch.rollup)


_PLAIN = ("longest_lag_ms", "first_start_ms", "last_end_ms", "other_failures")
