from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from django_agenda.policies.rate import Rate, Starts, corrected

UNIT = 1_000_000


def holds(n: int, per: int, moments: list[int]) -> bool:
    """Tell whether no stretch that is shorter than `per` has more than n of them."""
    ordered = sorted(moments)
    return all(later - first >= per for first, later in zip(ordered, ordered[n:], strict=False))


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.booleans()), max_size=40),
)
def test_whenever_in_its_tolerance_each_starts_the_rate_holds(
    n: int, coming: list[tuple[int, float, bool]]
) -> None:
    """Each comes so many units after the last one, begins so late, and is known soon or never."""
    rate = Rate(n, per=3)
    moments: list[int] = []
    began: list[int] = []
    moment = 10 * UNIT
    for wait, late, is_known in coming:
        moment += wait * UNIT
        starts = Starts(rate, moments)
        moment = max(moment, starts.opens())
        latest = moment + rate.tolerance_us
        starts.add(latest)
        began.append(moment + int(late * rate.tolerance_us))
        moments = corrected(starts.moments, latest, began[-1]) if is_known else starts.moments

    assert holds(n, rate.per_us, began)


def test_a_start_that_never_was_makes_room_again() -> None:
    starts = Starts(Rate(1, per=1), [5])

    assert corrected(starts.moments, 5, None) == []
    assert corrected(starts.moments, 6, None) == [5]
    assert Starts(Rate(1, per=1), []).opens() == 0


def test_no_more_is_kept_than_matters() -> None:
    starts = Starts(Rate(2, per=1), range(10))
    starts.add(7)

    assert starts.moments == [8, 9]
    assert starts.count_since(8) == 1
    assert starts.opens() == 8 + UNIT


def test_how_late_a_start_may_be_depends_on_the_rate() -> None:
    assert Rate(1, per=1).tolerance_us == 100_000
    assert Rate(1, per=5).tolerance_us == 500_000
    assert Rate(1, per=timedelta(days=1)).tolerance_us == 1_000_000
    assert [Rate(1, per=per).margin_us for per in (0.1, 1, 60)] == [20_000, 50_000, 1_000_000]
