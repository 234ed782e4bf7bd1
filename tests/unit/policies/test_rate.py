from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from django_agenda.policies.rate import Rate, Starts

MOMENTS = st.lists(st.integers(0, 60), max_size=12)
SIZES = st.integers(1, 4)
GAPS = st.integers(1, 20)


def holds(n: int, gap: int, moments: list[int]) -> bool:
    """Tell whether no stretch that is shorter than the gap has more than n of them."""
    ordered = sorted(moments)
    return all(later - earlier >= gap for earlier, later in zip(ordered, ordered[n:], strict=False))


def within_bounds(n: int, gap: int, moments: list[int]) -> list[int]:
    kept: list[int] = []
    for moment in moments:
        if holds(n, gap, [*kept, moment]):
            kept.append(moment)
    return kept


@given(SIZES, GAPS, MOMENTS, st.integers(0, 60))
def test_the_free_moment_is_the_first_at_which_the_rate_holds(
    n: int, gap: int, moments: list[int], wanted: int
) -> None:
    kept = within_bounds(n, gap, moments)

    free = Starts(n, gap, kept).free(wanted)

    first = next(one for one in range(wanted, 1000) if holds(n, gap, [*kept, one]))
    assert free == first


@given(SIZES, GAPS, MOMENTS, st.integers(0, 60))
def test_what_is_forgotten_would_have_changed_nothing(
    n: int, gap: int, moments: list[int], wanted: int
) -> None:
    starts = Starts(n, gap, within_bounds(n, gap, moments))

    kept = Starts(n, gap, starts.since(wanted))

    assert kept.free(wanted) == starts.free(wanted)


def test_a_start_makes_room_after_the_stretch_and_the_slack() -> None:
    assert Rate(1, per=1).gap_us == 1_050_000
    assert Rate(1, per=0.1).slack == timedelta(milliseconds=20)
    assert Rate(1, per=timedelta(days=1)).slack == timedelta(seconds=1)


def test_a_thousand_that_wait_are_found_a_moment_quickly() -> None:
    starts = Starts(1000, 1_050_000)
    for number in range(3000):
        starts.add(starts.free(number))

    assert starts.free(5) == 3 * 1_050_000
