"""The latest runs of the schedules of a list: one drawing and one number each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import charts, wording
from django_agenda.admin.lateness import exact_sketch
from django_agenda.admin.states import OUTCOMES
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule

SHOWN = 60
_FULL, _LEAST = 100, 40
_LEAN = ("id", "status", "held_by", "attempts", "due_at", "started_at", "task_name", "key")


class Tick(NamedTuple):
    """Hold one run of a tick."""

    tick_at: datetime
    status: str
    lag_ms: int | None
    run_ms: int | None


@dataclass(slots=True, kw_only=True)
class Runs:
    """Hold the latest runs of a schedule, the oldest tick first; `last` was perhaps run by hand."""

    last: Execution | None = None
    ticks: list[Tick] = field(default_factory=list)

    @property
    def spark(self) -> SafeString | str:
        """Return a column a run, as high as it ran long; what did not run well is never low."""
        if not self.ticks:
            return ""
        longest = max((tick.run_ms or 0 for tick in self.ticks), default=0) or 1
        lines = {slug: [0] * SHOWN for slug in OUTCOMES}
        for place, tick in enumerate(self.ticks, start=SHOWN - len(self.ticks)):
            share = (tick.run_ms or 0) / longest
            is_bad = tick.status in ("failed", "missed")
            height = _FULL if is_bad else round(_LEAST + (_FULL - _LEAST) * share)
            lines[tick.status][place] = height
        counted = Counter(tick.status for tick in self.ticks)
        words = [
            f"{wording.count(counted[slug])} {state.label}"
            for slug, state in OUTCOMES.items()
            if counted[slug]
        ]
        return charts.spark(lines, _("Last runs: %(counts)s") % {"counts": ", ".join(words)})

    @property
    def lateness(self) -> tuple[float | None, int | None]:
        """Return the median and the longest lateness of the ticks, in milliseconds."""
        lags = [tick.lag_ms for tick in self.ticks if tick.lag_ms is not None]
        return exact_sketch(lags).quantile(0.5), max(lags, default=None)


def recent_runs(schedules: Iterable[Schedule]) -> dict[int, Runs]:
    """Return the latest runs by schedule: three statements, which the sparse index serves."""
    keys = [schedule.pk for schedule in schedules]
    ends = _ends(keys)
    found = {key: Runs() for key in keys}
    # Only what ticks: a run by hand has none, and PostgreSQL would put it before all others.
    since = Q(pk__in=[])
    for key, (oldest, *_newest) in ends.items():
        since |= Q(schedule=key) & (Q(tick_at__gte=oldest) if oldest else Q(tick_at__isnull=False))
    rows = Execution.objects.filter(since).order_by("schedule", "tick_at")
    for key, *row in rows.values_list("schedule", *Tick._fields):
        found[key].ticks.append(Tick(*row))
    newest = [id_ for _oldest, *ids in ends.values() for id_ in ids if id_ is not None]
    runs = Execution.objects.only(*_LEAN).in_bulk(newest)
    for key, (_oldest, *ids) in ends.items():
        found[key].last = _last([runs[id_] for id_ in ids if id_ in runs])
        found[key].ticks = found[key].ticks[-SHOWN:]
    return found


def _ends(keys: Sequence[int]) -> dict[int, tuple[datetime | None, UUID | None, UUID | None]]:
    """Return the oldest tick that is shown, the run of the newest, and the newest by hand."""
    runs = Execution.objects.filter(schedule=OuterRef("pk"))
    ticks = runs.filter(tick_at__isnull=False).order_by("-tick_at")
    by_hand = runs.filter(tick_at__isnull=True).order_by("-pk")
    rows = (
        Schedule.objects.filter(pk__in=keys)
        .order_by()
        .values_list(
            "pk",
            Subquery(ticks.values("tick_at")[SHOWN - 1 : SHOWN]),
            Subquery(ticks.values("pk")[:1]),
            Subquery(by_hand.values("pk")[:1]),
        )
    )
    return {key: (oldest, tick, run) for key, oldest, tick, run in rows}


def _last(runs: Sequence[Execution]) -> Execution | None:
    return max(runs, key=lambda run: run.due_at, default=None)
