"""The part of a batch's window that a page shows: `?from=&to=`, milliseconds from its start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django_agenda.models.batch import Batch

MILLISECOND = timedelta(milliseconds=1)
SHORTEST_MS = 100
_DIGITS = 15
_STEPS = 400
# Of what is planned all at once the plan is no axis: when it ran is.
_AT_ONCE_MS = 1000


class Span(NamedTuple):
    """Hold two offsets from the start of a batch, both included; `whole` is all of it."""

    lo_ms: int
    hi_ms: int
    whole: bool = True

    @property
    def length_ms(self) -> int:
        """Return how long it is, at least a millisecond."""
        return max(self.hi_ms - self.lo_ms, 1)


def whole_span(batch: Batch, last_offset_ms: int | None, now: datetime) -> Span:
    """Return the window of a batch, and what was planned or waits beyond its end.

    Of a window that is hardly one it is the time in which the batch ran.
    """
    end = -(-batch.over // MILLISECOND)
    last = max(end, last_offset_ms or 0)
    now_ms = (now - batch.start) // MILLISECOND
    if not batch.is_finished and last < now_ms < last + last // 6:
        # In steps: who asks a little later asks for the same, see Subject.recall().
        step = max(last // _STEPS, 1)
        last = -(-now_ms // step) * step
    if last < _AT_ONCE_MS:
        ended = batch.finished_at
        ran_ms = _in_two_figures(now_ms) if ended is None else (ended - batch.start) // MILLISECOND
        last = max(last, ran_ms)
    return Span(0, max(last, 1))


def _in_two_figures(number: int) -> int:
    """Return the next number of two figures and zeros: it changes seldom."""
    step = int(10 ** max(len(str(max(number, 0))) - 2, 0))
    return -(-number // step) * step


def read_span(query: Mapping[str, str], whole: Span) -> Span:
    """Return the span that a query string asks for; whatever makes no sense means the whole."""
    lo, hi = _offset(query.get("from")), _offset(query.get("to"))
    if lo is None and hi is None:
        return whole
    lo = whole.lo_ms if lo is None else min(max(lo, whole.lo_ms), whole.hi_ms)
    hi = whole.hi_ms if hi is None else min(max(hi, whole.lo_ms), whole.hi_ms)
    if hi - lo < SHORTEST_MS:
        lo = max(whole.lo_ms, min(lo, whole.hi_ms - SHORTEST_MS))
        hi = min(whole.hi_ms, lo + SHORTEST_MS)
    if (lo, hi) == (whole.lo_ms, whole.hi_ms) or hi <= lo:
        return whole
    return Span(lo, hi, whole=False)


def moved(span: Span, whole: Span, *, by: float = 0.0, scale: float = 1.0) -> Span | None:
    """Return the span shifted by a share of its length and scaled about its middle.

    Stays inside `whole`; None when that changes nothing.
    """
    length = min(span.length_ms * scale, whole.length_ms)
    middle = (span.lo_ms + span.hi_ms) / 2 + by * span.length_ms
    lo = round(min(max(middle - length / 2, whole.lo_ms), whole.hi_ms - length))
    hi = round(lo + length)
    if hi - lo < SHORTEST_MS or (lo, hi) == (span.lo_ms, span.hi_ms):
        return None
    return Span(lo, hi, whole=(lo, hi) == (whole.lo_ms, whole.hi_ms))


def _offset(text: str | None) -> int | None:
    sign_and_digits = (text or "").removeprefix("-")
    if not sign_and_digits.isascii() or not sign_and_digits.isdigit():
        return None
    return int(text or "") if len(sign_and_digits) <= _DIGITS else None
