"""Quantiles from counts are close to those from all rows."""

from __future__ import annotations

from random import Random

import pytest

from django_agenda.admin.lateness import Sketch, Started, exact_sketch, times_of
from django_agenda.timing.steps import step_width


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
