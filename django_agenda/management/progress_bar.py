"""A line on a terminal that fills up."""

from __future__ import annotations

from typing import Any

from django_agenda.clock import monotonic

_WIDTH = 30
_EVERY = 0.1


class ProgressBar:
    """Draw how much is done, at most ten times a second; nothing where nobody looks."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_seen = bool(getattr(stream, "isatty", bool)())
        self._began = monotonic()
        self._drawn = 0.0

    def show(self, done: int, total: int) -> None:
        """Draw it anew, and for good when all is done."""
        moment = monotonic()
        if not self._is_seen or (done < total and moment - self._drawn < _EVERY):
            return
        self._drawn = moment
        self._stream.write("\r" + bar(done, total, moment - self._began))
        if done >= total:
            self._stream.write("\n")
        self._stream.flush()


def bar(done: int, total: int, seconds: float) -> str:
    """Return the line for so much that took so long."""
    share = done / total if total else 1.0
    full = "#" * int(share * _WIDTH)
    pace = f"{done / seconds:,.0f}/s" if seconds > 0 else ""
    return f"[{full:<{_WIDTH}}] {done:,} of {total:,} {share:4.0%} {pace:>12}"
