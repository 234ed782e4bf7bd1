import math
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import repeat, tee
from random import Random
from typing import NamedTuple

from .window import MICROSECOND, Window

_END = object()

Strategy = Callable[[int, Window, Random], Iterable[timedelta]]


class Slot(NamedTuple):
    """Place one call: microseconds after the window's start, before and after jitter."""

    slot_us: int
    planned_us: int


def spread(
    count: int,
    window: Window,
    *,
    strategy: str | Strategy = "even",
    jitter: timedelta | None = None,
    seed: int | None = None,
) -> Iterator[Slot]:
    """Place so many calls in a window, one after the other and in the order of the calls.

    A wrong argument is refused by the call itself, not when the first slot is drawn. What a
    callable strategy gives is checked as it is drawn; too many are found at the last slot.

    `even`: one call lands on over/2, n calls on over*i/(n-1), rounded as timedelta rounds.
    `random`: each slot is uniform and independent of the others, so they are not sorted.
    `poisson`: the arrivals of a Poisson process, given that there were n of them; sorted.
    `ramp`: the rate grows linearly from zero, over*sqrt((i+1)/n); one call lands on the median of
    that, over*sqrt(1/2).
    A callable `(n, window, rng)` gives n timedeltas in [0, over]; it is not asked when n is 0.

    Jitter is uniform over that part of [slot - jitter, slot + jitter] which lies in the window.
    The same seed gives the same slots with and without jitter: `rng` is `Random(seed)`, and the
    jitter is drawn from a stream of its own.
    """
    _check(count, jitter, seed)
    offsets = _offsets(count, window, strategy, Random(seed))
    if not jitter:
        return _unmoved(offsets)
    # A string is hashed into the state, so this stream has nothing in common with Random(seed).
    rng = Random(None if seed is None else f"jitter {seed:x}")
    return _jittered(offsets, window.over_us, jitter // MICROSECOND, rng.random)


def _check(count: int, jitter: timedelta | None, seed: int | None) -> None:
    if not isinstance(count, int):
        raise TypeError(f"'count' parameter must be an int, not {count!r}")
    if count < 0:
        raise ValueError(f"'count' parameter must not be negative, as {count} is")
    if jitter is not None and not isinstance(jitter, timedelta):
        raise TypeError(f"'jitter' parameter must be a timedelta or None, not {jitter!r}")
    if jitter is not None and jitter < timedelta(0):
        raise ValueError(f"'jitter' parameter must not be negative, as {jitter!r} is")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise TypeError(f"'seed' parameter must be an int or None, not {seed!r}")


def _offsets(count: int, window: Window, strategy: str | Strategy, rng: Random) -> Iterator[int]:
    if isinstance(strategy, str):
        if strategy not in STRATEGIES:
            names = ", ".join(repr(name) for name in STRATEGIES)
            raise ValueError(
                f"'strategy' parameter must be one of {names} or a callable, not {strategy!r}"
            )
        return STRATEGIES[strategy](count, window.over_us, rng)
    if not callable(strategy):
        raise TypeError(f"'strategy' parameter must be a name or a callable, not {strategy!r}")
    if count == 0:
        return iter(())
    given = strategy(count, window, rng)
    if not isinstance(given, Iterable):
        raise TypeError(f"The strategy must give an iterable of timedeltas, not {given!r}")
    return _checked(iter(given), count, window.over)


def _unmoved(offsets: Iterator[int]) -> Iterator[Slot]:
    # No line of Python for each slot: half the time of a comprehension of Slots.
    slots, planned = tee(offsets)
    return map(tuple.__new__, repeat(Slot), zip(slots, planned, strict=True))


def _jittered(
    offsets: Iterator[int], over: int, jitter: int, random: Callable[[], float]
) -> Iterator[Slot]:
    for offset in offsets:
        low = offset - jitter if offset > jitter else 0
        high = min(offset + jitter, over)
        # Even 1 - 2**-53, the highest random(), times any n is rounded to less than n.
        yield tuple.__new__(Slot, (offset, low + int(random() * (high - low + 1))))


def _even(count: int, over: int, rng: Random) -> Iterator[int]:
    if count < 2:
        yield from [_half(over)] * count
        return
    steps = count - 1
    # i*over/steps as a whole number and a rest: adding keeps every number small, which is faster
    # than i*over. The rest is doubled and centred, so that its sign tells which way to round.
    whole, rest = divmod(over, steps)
    position, centred = 0, -steps
    for _ in range(count):
        if centred > 0 or (not centred and position & 1):
            yield position + 1
        else:
            yield position
        position += whole
        centred += rest + rest
        if centred >= steps:
            centred -= steps + steps
            position += 1


def _half(over: int) -> int:
    return timedelta(microseconds=over) / 2 // MICROSECOND


def _random(count: int, over: int, rng: Random) -> Iterator[int]:
    for _ in range(count):
        yield int(rng.random() * (over + 1))


def _poisson(count: int, over: int, rng: Random) -> Iterator[int]:
    """Draw sorted uniforms without sorting, after Bentley and Saxe (1980).

    Of k uniforms that are left, the share of the rest that the next one leaves is U**(1/k).
    """
    left = 1.0
    for remaining in range(count, 0, -1):
        left *= (1.0 - rng.random()) ** (1.0 / remaining)
        yield min(int((1.0 - left) * (over + 1)), over)


def _ramp(count: int, over: int, rng: Random) -> Iterator[int]:
    if count == 1:
        yield round(over * math.sqrt(0.5))
        return
    for i in range(1, count + 1):
        # A float may miss a very long over by some microseconds, and the last must not.
        yield round(over * math.sqrt(i / count)) if i < count else over


def _checked(offsets: Iterator[timedelta], count: int, over: timedelta) -> Iterator[int]:
    for index in range(count):
        try:
            offset = next(offsets)
        except StopIteration:
            raise ValueError(f"The strategy gave {index} offsets for {count} calls") from None
        if not isinstance(offset, timedelta):
            raise TypeError(f"Offset {index} of the strategy must be a timedelta, not {offset!r}")
        if not timedelta(0) <= offset <= over:
            raise ValueError(
                f"Offset {index} of the strategy must lie between 0 and {over!r}, not {offset!r}"
            )
        # Looked for before the last one is given: a caller with n calls asks no further.
        if index == count - 1 and next(offsets, _END) is not _END:
            raise ValueError(f"The strategy gave at least {count + 1} offsets for {count} calls")
        yield offset // MICROSECOND


STRATEGIES: dict[str, Callable[[int, int, Random], Iterator[int]]] = {
    "even": _even,
    "random": _random,
    "poisson": _poisson,
    "ramp": _ramp,
}
