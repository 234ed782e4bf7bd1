import tracemalloc
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from itertools import islice, pairwise
from random import Random
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.timing.spread import STRATEGIES, Slot, _jittered, spread
from django_agenda.timing.window import Window

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(start=START, over=HOUR)
NAMES = sorted(STRATEGIES)

overs = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=36_500))
counts = st.integers(0, 300)
seeds = st.integers(-(2**70), 2**70)


def window_over(over: timedelta) -> Window:
    return Window(start=START, over=over)


# --- even ---


def test_a_single_call_lands_on_the_midpoint() -> None:
    [slot] = spread(1, WINDOW)

    assert WINDOW.at(slot.planned_us) == START + HOUR / 2


@pytest.mark.parametrize("us", [1, 2, 3, 4, 5])
def test_the_midpoint_of_an_odd_window_is_rounded_as_timedelta_rounds(us: int) -> None:
    over = timedelta(microseconds=us)

    [slot] = spread(1, window_over(over))

    assert timedelta(microseconds=slot.slot_us) == over / 2


@given(over=overs, count=st.integers(2, 300))
def test_calls_are_evenly_apart_to_the_microsecond(over: timedelta, count: int) -> None:
    window = window_over(over)

    slots = list(spread(count, window))

    wanted = [START + over * i / (count - 1) for i in range(count)]
    assert [window.at(slot.planned_us) for slot in slots] == wanted
    assert window.at(slots[-1].planned_us) == START + over


@given(us=st.integers(1, 40), count=st.integers(2, 60))
def test_halves_of_a_microsecond_are_rounded_to_even(us: int, count: int) -> None:
    over = timedelta(microseconds=us)

    slots = [slot.slot_us for slot in spread(count, window_over(over))]

    assert slots == [(over * i / (count - 1)).microseconds for i in range(count)]


@pytest.mark.parametrize("over", [HOUR, timedelta(days=3, microseconds=7), timedelta(days=365)])
def test_a_hundred_thousand_calls_do_not_drift(over: timedelta) -> None:
    count, window = 100_003, window_over(over)

    drifted = [
        i
        for i, slot in enumerate(spread(count, window))
        if timedelta(microseconds=slot.planned_us) != over * i / (count - 1)
    ]

    assert drifted == []


def test_more_calls_than_microseconds_share_them() -> None:
    slots = Counter(
        slot.planned_us for slot in spread(1001, window_over(timedelta(microseconds=1)))
    )

    assert slots == {0: 501, 1: 500}


# --- every strategy ---


@pytest.mark.parametrize("name", NAMES)
def test_no_calls_have_no_slots(name: str) -> None:
    assert list(spread(0, WINDOW, strategy=name, jitter=HOUR)) == []


@pytest.mark.parametrize("name", NAMES)
@given(over=overs, count=counts, jitter=st.none() | overs, seed=st.none() | seeds)
def test_every_call_has_a_slot_inside_the_window(
    name: str, over: timedelta, count: int, jitter: timedelta | None, seed: int | None
) -> None:
    window = window_over(over)

    slots = list(spread(count, window, strategy=name, jitter=jitter, seed=seed))

    assert len(slots) == count
    assert all(type(slot) is Slot for slot in slots)
    assert all(type(us) is int and 0 <= us <= window.over_us for slot in slots for us in slot)
    reach = (jitter or timedelta(0)) // timedelta(microseconds=1)
    assert all(abs(slot.planned_us - slot.slot_us) <= reach for slot in slots)


@pytest.mark.parametrize("name", NAMES)
def test_the_longest_window_of_all_does_not_overflow(name: str) -> None:
    first = datetime.min.replace(tzinfo=UTC)
    window = Window(start=first, over=datetime.max.replace(tzinfo=UTC) - first)

    slots = list(spread(5000, window, strategy=name, jitter=timedelta.max, seed=1))

    assert all(window.contains(window.at(us)) for slot in slots for us in slot)


def test_a_ramp_does_not_miss_the_end_of_a_very_long_window() -> None:
    over = timedelta(days=9 * 365_000, microseconds=1)
    window = Window(start=datetime(1, 1, 1, tzinfo=UTC), over=over)

    *_, last = spread(3, window, strategy="ramp")

    assert window.at(last.slot_us) == window.end


@given(st.integers(1, timedelta.max // timedelta(microseconds=1)))
def test_the_highest_random_number_stays_inside_the_window(over: int) -> None:
    [jittered] = _jittered(iter([0]), over, over, lambda: 1 - 2**-53)

    assert jittered.planned_us <= over


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_makes_everything_repeatable(name: str) -> None:
    first, again, other = (
        list(spread(50, WINDOW, strategy=name, jitter=HOUR, seed=seed)) for seed in (7, 7, 8)
    )

    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ["random", "poisson"])
def test_without_a_seed_every_spread_is_another(name: str) -> None:
    assert list(spread(20, WINDOW, strategy=name)) != list(spread(20, WINDOW, strategy=name))


@pytest.mark.parametrize("name", NAMES)
def test_jitter_does_not_change_the_slots(name: str) -> None:
    calm = spread(200, WINDOW, strategy=name, seed=3)
    jittered = spread(200, WINDOW, strategy=name, seed=3, jitter=timedelta(minutes=5))

    assert [slot.slot_us for slot in calm] == [slot.slot_us for slot in jittered]


def test_jitter_is_independent_of_random_slots() -> None:
    jitter = timedelta(minutes=1)
    slots = list(spread(5000, WINDOW, strategy="random", seed=3, jitter=jitter))
    inner = [slot for slot in slots if 6e7 < slot.slot_us < WINDOW.over_us - 6e7]

    positions = [slot.slot_us / WINDOW.over_us - 0.5 for slot in inner]
    moves = [(slot.planned_us - slot.slot_us) / 6e7 for slot in inner]

    assert abs(fmean(p * m for p, m in zip(positions, moves, strict=True))) < 0.012


@pytest.mark.parametrize("name", NAMES)
def test_slots_are_drawn_lazily(name: str) -> None:
    tracemalloc.start()
    try:
        slots = spread(10**12, WINDOW, strategy=name, jitter=HOUR, seed=1)
        deque(islice(slots, 20_000), maxlen=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 100_000


# --- jitter ---


@pytest.mark.parametrize("jitter", [None, timedelta(0)])
def test_without_jitter_calls_stay_on_their_slots(jitter: timedelta | None) -> None:
    assert all(slot.slot_us == slot.planned_us for slot in spread(99, WINDOW, jitter=jitter))


def test_jitter_goes_both_ways_and_is_uniform() -> None:
    slots = spread(20_001, WINDOW, jitter=timedelta(seconds=10), seed=1)

    moves = [s.planned_us - s.slot_us for s in slots if 1e7 <= s.slot_us <= WINDOW.over_us - 1e7]

    quarters = Counter((move + 10_000_000) * 4 // 20_000_001 for move in moves)
    assert set(quarters) == {0, 1, 2, 3}
    assert all(abs(n / len(moves) - 0.25) < 0.015 for n in quarters.values())


@pytest.mark.parametrize("edge", [0, WINDOW.over_us])
def test_nothing_piles_up_on_an_edge(edge: int) -> None:
    def all_on_edge(n: int, window: Window, rng: Random) -> Iterable[timedelta]:
        return [timedelta(microseconds=edge)] * n

    planned = [
        abs(slot.planned_us - edge)
        for slot in spread(4000, WINDOW, strategy=all_on_edge, jitter=timedelta(seconds=8), seed=1)
    ]

    eighths = Counter(us // 1_000_001 for us in planned)
    assert set(eighths) == set(range(8))
    assert all(abs(n - 500) < 100 for n in eighths.values())
    assert planned.count(0) <= 1


def test_jitter_reaches_both_of_its_bounds() -> None:
    window = window_over(timedelta(microseconds=100))

    planned = {
        slot.planned_us
        for seed in range(60)
        for slot in spread(1, window, jitter=timedelta(microseconds=2), seed=seed)
    }

    assert planned == {48, 49, 50, 51, 52}


def test_jitter_wider_than_the_window_covers_all_of_it_and_no_more() -> None:
    window = window_over(timedelta(microseconds=3))

    planned = Counter(s.planned_us for s in spread(4000, window, jitter=timedelta.max, seed=1))

    assert set(planned) == {0, 1, 2, 3}
    assert all(abs(n - 1000) < 150 for n in planned.values())


# --- random, poisson, ramp ---


def test_random_slots_are_uniform_and_not_sorted() -> None:
    slots = [slot.slot_us for slot in spread(20_000, WINDOW, strategy="random", seed=1)]

    tenths = Counter(us * 10 // (WINDOW.over_us + 1) for us in slots)
    assert all(abs(tenths[tenth] - 2000) < 200 for tenth in range(10))
    rising = sum(a < b for a, b in pairwise(slots))
    assert abs(rising - 10_000) < 400


@pytest.mark.parametrize("count", [1, 2, 50_000])
def test_poisson_arrivals_are_sorted(count: int) -> None:
    slots = [slot.slot_us for slot in spread(count, WINDOW, strategy="poisson", seed=1)]

    assert slots == sorted(slots)
    assert len(slots) == count


def test_poisson_arrivals_have_no_memory() -> None:
    slots = [slot.slot_us for slot in spread(20_000, WINDOW, strategy="poisson", seed=1)]

    tenths = Counter(us * 10 // (WINDOW.over_us + 1) for us in slots)
    assert all(abs(tenths[tenth] - 2000) < 200 for tenth in range(10))
    gaps = [b - a for a, b in pairwise(slots)]
    mean = fmean(gaps)
    # Of exponential gaps, exp(-1) are longer than their mean.
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(0.3679, abs=0.02)


def test_each_poisson_arrival_lies_where_order_statistics_put_it() -> None:
    draws = [list(spread(3, WINDOW, strategy="poisson", seed=seed)) for seed in range(4000)]

    means = [fmean(draw[k].slot_us for draw in draws) / WINDOW.over_us for k in range(3)]

    assert means == pytest.approx([0.25, 0.5, 0.75], abs=0.02)


def test_a_ramp_starts_slowly_and_ends_exactly_at_the_end() -> None:
    slots = [slot.slot_us for slot in spread(10_000, WINDOW, strategy="ramp")]

    assert slots == sorted(slots)
    assert slots[-1] == WINDOW.over_us
    quarters = Counter(min(us * 4 // WINDOW.over_us, 3) for us in slots)
    assert [quarters[i] / 10_000 for i in range(4)] == pytest.approx(
        [1 / 16, 3 / 16, 5 / 16, 7 / 16], abs=0.001
    )


def test_a_single_call_of_a_ramp_lands_on_its_median() -> None:
    [slot] = spread(1, WINDOW, strategy="ramp")

    assert slot.slot_us == round(3_600_000_000 * 0.5**0.5)


# --- strategies of the caller ---


def thirds(n: int, window: Window, rng: Random) -> Iterator[timedelta]:
    return (window.over * i / 3 for i in range(n))


def test_a_callable_says_where_calls_land_and_in_which_order() -> None:
    def backwards(n: int, window: Window, rng: Random) -> list[timedelta]:
        return [window.over, window.over / 2, timedelta(0)]

    slots = [slot.slot_us for slot in spread(3, WINDOW, strategy=backwards)]

    assert slots == [3_600_000_000, 1_800_000_000, 0]


def test_a_callable_is_told_count_window_and_a_seeded_rng() -> None:
    told: list[tuple[int, Window, float]] = []

    def curious(n: int, window: Window, rng: Random) -> list[timedelta]:
        told.append((n, window, rng.random()))
        return [timedelta(0)] * n

    list(spread(2, WINDOW, strategy=curious, seed=42, jitter=HOUR))

    assert told == [(2, WINDOW, Random(42).random())]


def test_a_callable_is_not_asked_about_no_calls() -> None:
    def divides(n: int, window: Window, rng: Random) -> list[timedelta]:
        return [window.over / n]

    assert list(spread(0, WINDOW, strategy=divides)) == []


@pytest.mark.parametrize(
    ("offset", "error"),
    [
        (5, TypeError),
        (None, TypeError),
        (START, TypeError),
        (timedelta(microseconds=-1), ValueError),
        (HOUR + timedelta(microseconds=1), ValueError),
        (timedelta.max, ValueError),
    ],
)
def test_a_wrong_offset_is_named_with_its_index(offset: Any, error: type[Exception]) -> None:
    def wrong(n: int, window: Window, rng: Random) -> list[Any]:
        return [timedelta(0), offset, timedelta(0)]

    slots = spread(3, WINDOW, strategy=wrong)

    assert next(slots) == (0, 0)
    with pytest.raises(error, match="Offset 1 of the strategy") as refusal:
        next(slots)
    assert repr(offset) in str(refusal.value)


def test_too_few_offsets_are_counted() -> None:
    with pytest.raises(ValueError, match="gave 2 offsets for 5 calls"):
        list(spread(5, WINDOW, strategy=lambda n, w, rng: [timedelta(0)] * 2))


@pytest.mark.parametrize("extra", [timedelta(0), None])
def test_too_many_offsets_are_found_by_a_caller_who_asks_no_further(extra: Any) -> None:
    slots = spread(2, WINDOW, strategy=lambda n, w, rng: [timedelta(0), timedelta(0), extra])

    with pytest.raises(ValueError, match="gave at least 3 offsets for 2 calls"):
        list(zip("ab", slots, strict=False))


def test_endless_offsets_are_too_many() -> None:
    def endless(n: int, window: Window, rng: Random) -> Iterator[timedelta]:
        return (timedelta(seconds=s) for s in counting())

    with pytest.raises(ValueError, match="at least 4 offsets for 3 calls"):
        list(spread(3, WINDOW, strategy=endless))


# --- refusals at the call itself ---


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"strategy": "evne"}, ValueError, "'even', 'random', 'poisson', 'ramp'.* not 'evne'"),
        ({"strategy": ""}, ValueError, "not ''"),
        ({"strategy": None}, TypeError, "'strategy' parameter .* not None"),
        ({"strategy": 3}, TypeError, "not 3"),
        ({"strategy": lambda n, w, rng: 5}, TypeError, "iterable of timedeltas, not 5"),
        ({"jitter": timedelta(microseconds=-1)}, ValueError, "'jitter' .* negative"),
        ({"jitter": 5}, TypeError, "'jitter' .* not 5"),
        ({"jitter": 0}, TypeError, "'jitter' .* not 0"),
        ({"seed": "7"}, TypeError, "'seed' .* not '7'"),
        ({"seed": True}, TypeError, "'seed' .* not True"),
        ({"seed": 1.0}, TypeError, r"'seed' .* not 1\.0"),
    ],
)
def test_a_wrong_argument_is_refused_before_the_first_slot(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        spread(3, WINDOW, **wrong)


def test_a_wrong_count_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'count' .* -1"):
        spread(-1, WINDOW)
    with pytest.raises(TypeError, match=r"'count' .* 2\.0"):
        spread(2.0, WINDOW)  # type: ignore[arg-type]


def test_wrong_arguments_are_refused_for_an_empty_agenda_too() -> None:
    with pytest.raises(ValueError, match="not 'evne'"):
        spread(0, WINDOW, strategy="evne")
