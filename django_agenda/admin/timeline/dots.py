"""The lower track for some thousands: one dot an execution, lateness from bottom to top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .axis import Axis, number
from .bars import Layer
from .lag_scale import LagScale

# Later ones lie on top.
_ORDER = ("succeeded", "cancelled", "running", "scheduled", "missed", "failed")


def dots(axis: Axis, scale: LagScale, started: Iterable[tuple[int, str, int]]) -> Sequence[Layer]:
    """Draw (planned, status, lateness) as one path a status; dots are strokes without length."""
    paths: dict[str, list[str]] = {}
    for planned_ms, status, lag_ms in started:
        paths.setdefault(status, []).append(
            f"M{number(axis.x(planned_ms))} {number(scale.y(lag_ms))}h0"
        )
    known = [status for status in _ORDER if status in paths]
    others = [status for status in paths if status not in _ORDER]
    return [Layer(slug=status, path="".join(paths[status])) for status in (*others, *known)]
