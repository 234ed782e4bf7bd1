"""Quantiles from counts are close to those from all rows."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from django_agenda.admin.batches.pruned import with_pruned_times
from django_agenda.admin.lateness import Sketch, Started, exact_sketch, times_from, times_of
from django_agenda.admin.numbers import tiles
from django_agenda.admin.span import Span
from django_agenda.scheduling.count import Runs
from django_agenda.scheduling.rollup import Rollup
from django_agenda.timing.steps import step_of, step_width


def stepped(durations: list[int]) -> Sketch:
    counts: dict[int, int] = {}
    for value in durations:
        width = step_width(value)
        counts[value - value % width] = counts.get(value - value % width, 0) + 1
    return Sketch(sorted(counts.items()))


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_an_estimate_is_close_to_the_truth(share: float) -> None:
    random = Random(7)
    durations = [int(random.lognormvariate(5, 1.5)) for _ in range(20_000)]

    estimate, truth = stepped(durations).quantile(share), exact_sketch(durations).quantile(share)

    assert estimate == pytest.approx(truth, rel=0.1)


def test_small_durations_are_exact() -> None:
    assert stepped([3] * 99 + [12]).quantile(0.5) == 3


def test_nothing_has_no_quantile() -> None:
    assert Sketch([]).quantile(0.5) is None


def test_times_know_the_first_start_and_the_last_end() -> None:
    times = times_of([Started(10, 10, 100), Started(520, 20, None)], [-4, 9])

    assert (times.first_start_ms, times.last_end_ms, times.longest_lag_ms) == (10, 110, 20)
    assert times.run.size == 1


@pytest.mark.parametrize("lags", [[273_000], [5, 192_000], [91, 91, 92], [-3], [1001] * 7])
def test_no_quantile_is_above_the_longest(lags: list[int]) -> None:
    counted = Counter((0, step_of(lag)) for lag in lags)
    runs = Runs({}, max(lags), 0, 0)
    pruned = Rollup(width_ms=1000, lag=Counter(map(step_of, lags)), longest_lag_ms=max(lags))

    for times in (times_from(counted, runs), with_pruned_times(times_of([], []), pruned)):
        found = [times.lag.quantile(share) for share in (0.5, 0.95, 0.99, 1)]
        assert found == sorted(found, key=lambda one: one or 0)
        assert (found[-1] or 0) <= max(*lags, 0)


def test_a_single_execution_has_no_rate_at_which_it_ran() -> None:
    span = Span(0, 3_600_000, whole=True)

    alone = tiles(span, 1, times_of([Started(0, 0, 1)], []), None)[0]
    several = tiles(span, 3, times_of([Started(0, 0, 10)] * 3, []), None)[0]

    assert [figure.value for figure in alone.figures] == ["1 / h", "–"]
    assert [figure.value for figure in several.figures] == ["3 / h", "3 in 10 ms"]
