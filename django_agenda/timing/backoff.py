import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random, SystemRandom

from .window import MICROSECOND

# Added to any moment of this millennium it stays before the year 9999.
LONGEST_DELAY = timedelta(days=365_000)

Backoff = Callable[[int, BaseException | None], timedelta | None]

# Never seeded by a task, and not shared with a forked process.
_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True, init=False)
class Exponential:
    """Wait `minimum` after the first attempt, then twice as long each time, up to `maximum`.

    Both are timedeltas or numbers of seconds. Without jitter (the default) calls that failed at
    different moments stay as far apart as they were. Give jitter where many fail at one moment:
    a fraction draws that part of the delay at random, so that it lies in [delay * (1 - jitter),
    delay]; True is 1.0, the "full jitter" of Celery. A timedelta draws from that part of
    [delay - jitter, delay + jitter] which lies in [minimum, maximum], as scatter does.
    """

    minimum: timedelta
    maximum: timedelta
    jitter: float | timedelta

    def __init__(
        self,
        minimum: timedelta | float = timedelta(seconds=1),
        maximum: timedelta | float = timedelta(seconds=64),
        jitter: float | timedelta = 0.0,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "minimum", _duration("minimum", minimum))
        set_field(self, "maximum", _duration("maximum", maximum))
        set_field(self, "jitter", _jitter(jitter))
        if self.maximum < self.minimum:
            raise ValueError(
                f"'maximum' parameter must not be below the minimum of {self.minimum!r},"
                f" as {maximum!r} is"
            )

    def __call__(
        self,
        attempt: int,
        exception: BaseException | None = None,
        rng: Random = _RANDOM,
    ) -> timedelta:
        """Tell how long to wait after this attempt; the first attempt is 1."""
        if attempt < 1:
            raise ValueError(f"'attempt' parameter must be 1 or more, not {attempt!r}")
        shortest, longest = self.minimum // MICROSECOND, self.maximum // MICROSECOND
        doublings = min(attempt - 1, longest.bit_length())
        delay = min(shortest << doublings, longest)
        if isinstance(self.jitter, timedelta):
            either_way = self.jitter // MICROSECOND
            low, high = max(delay - either_way, shortest), min(delay + either_way, longest)
        else:
            low, high = max(delay - int(delay * self.jitter), 0), delay
        return timedelta(microseconds=rng.randint(low, high) if low < high else high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Wait the same time after every attempt."""

    after: timedelta

    def __call__(self, attempt: int, exception: BaseException | None = None) -> timedelta:
        return self.after


def parse_backoff(value: Backoff | timedelta | float | None) -> Backoff:
    """Take any way to say how long to wait before a retry, and give a callable for delay().

    None retries at once. A callable `(attempt, exception)` gives a timedelta, or None to give up;
    its signature is checked here, its answers by delay(). What was parsed may be parsed again.
    """
    if value is None:
        return Constant(after=timedelta(0))
    if isinstance(value, Exponential | Constant):
        return value
    if not callable(value):
        return Constant(after=_duration("backoff", value))
    if inspect.iscoroutinefunction(value):
        raise TypeError(f"'backoff' parameter must not be a coroutine function, as {value!r} is")
    if not _takes_two(value):
        raise TypeError(f"'backoff' parameter must take (attempt, exception), {value!r} does not")
    return value


def delay(
    backoff: Backoff, attempt: int, exception: BaseException | None = None
) -> timedelta | None:
    """Ask how long to wait after this attempt, the first being 1; None is to give up.

    A delay above LONGEST_DELAY is cut to it, so that adding it to the present cannot overflow.
    What a callable raises comes through; a TypeError or ValueError when it gives anything but a
    timedelta of 0 or more, or None.
    """
    wait = backoff(attempt, exception)
    if wait is None:
        return None
    if not isinstance(wait, timedelta):
        raise TypeError(f"The backoff {backoff!r} must give a timedelta or None, not {wait!r}")
    if wait < timedelta(0):
        raise ValueError(f"The backoff {backoff!r} must not give a negative delay, as {wait!r} is")
    return min(wait, LONGEST_DELAY)


def _duration(name: str, value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        raise TypeError(f"'{name}' parameter must be a timedelta or seconds, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"'{name}' parameter must be finite, not {value!r}")
    if (value < timedelta(0)) if isinstance(value, timedelta) else (value < 0):
        raise ValueError(f"'{name}' parameter must not be negative, as {value!r} is")
    try:
        return value if isinstance(value, timedelta) else timedelta(seconds=value)
    except OverflowError:
        return timedelta.max


def _jitter(value: object) -> float | timedelta:
    if isinstance(value, timedelta):
        return _duration("jitter", value)
    if not isinstance(value, int | float):
        raise TypeError(f"'jitter' parameter must be a fraction, bool or timedelta, not {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"'jitter' parameter must be a fraction from 0 to 1, not {value!r}")
    return float(value)


def _takes_two(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(1, None)
    except TypeError:
        return False
    except ValueError:  # A builtin that does not tell its signature.
        return True
    return True
