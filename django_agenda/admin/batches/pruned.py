"""What the page of a batch shows of executions that were pruned: rollup and rows as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from django_agenda.admin.lateness import Sketch, Times
from django_agenda.admin.states import OUTCOMES
from django_agenda.models.execution import Execution
from django_agenda.scheduling.count import MOST_KINDS, Lags
from django_agenda.scheduling.grid import Grid
from django_agenda.scheduling.rollup import FOLD, Failure, Rollup

from .groups import Failures, Group
from .slices import Histogram


def with_pruned(shown: Histogram, rollup: Rollup) -> Histogram:
    """Add what was planned in the span and pruned; exact to a slice of the rollup."""
    grid = shown.grid
    counts = {status: list(line) for status, line in shown.counts.items()}
    for status, line in rollup.counts.items():
        for place, many in line.items():
            offset = place * rollup.width_ms
            if grid.lo_ms <= offset <= grid.hi_ms:
                merged = counts.setdefault(status, [0] * grid.size)
                merged[grid.place(offset - grid.origin_ms)] += many
    return Histogram(grid, {status: counts[status] for status in OUTCOMES if status in counts})


def pruned_lags(rollup: Rollup, grid: Grid) -> Lags:
    """Return the counts by (slice, lateness); the lateness is the middle of its power of two."""
    found: Lags = Counter()
    for (place, bits), many in rollup.late.items():
        offset = place * FOLD * rollup.width_ms
        if grid.lo_ms <= offset <= grid.hi_ms:
            lag_ms = (3 << bits) // 4
            found[grid.place(offset - grid.origin_ms), lag_ms] += many
    return found


def with_pruned_times(times: Times, rollup: Rollup) -> Times:
    """Add the times of the whole batch."""
    lasts = [one for one in (times.last_end_ms, rollup.last_end_ms) if one is not None]
    firsts = [one for one in (times.first_start_ms, rollup.first_start_ms) if one is not None]
    longest = [one for one in (times.longest_lag_ms, rollup.longest_lag_ms) if one is not None]
    most = max(longest, default=None)
    return Times(
        lag=_joined(times.lag, rollup.lag)._replace(longest=most),
        run=_joined(times.run, rollup.run),
        longest_lag_ms=most,
        first_start_ms=min(firsts, default=None),
        last_end_ms=max(lasts, default=None),
    )


def with_pruned_failures(found: Failures, rollup: Rollup) -> Failures:
    """Add the groups of what was pruned; of those there is no execution left to be shown."""
    groups = {group.fingerprint: group for group in found.groups}
    for failure in rollup.failures.values():
        group = groups.get(failure.fingerprint)
        if group is None:
            groups[failure.fingerprint] = _group(failure)
            continue
        group.count += failure.count
        group.first_ms = min(group.first_ms, failure.first_ms)
        group.last_ms = max(group.last_ms, failure.last_ms)
    largest = sorted(groups.values(), key=lambda group: -group.count)
    more = found.more + max(len(largest) - MOST_KINDS, 0)
    return Failures(groups=largest[:MOST_KINDS], more=more)


def _joined(sketch: Sketch, pruned: Mapping[int, int]) -> Sketch:
    return Sketch(sorted((Counter(dict(sketch.steps)) + Counter(pruned)).items()))


def _group(failure: Failure) -> Group:
    sample = Execution(
        failed_stage=failure.stage,
        error_class=failure.error_class,
        error_message=failure.message,
    )
    return Group(
        fingerprint=failure.fingerprint,
        sample=sample,
        count=failure.count,
        retrying=0,
        first_ms=failure.first_ms,
        last_ms=failure.last_ms,
        is_pruned=True,
    )
