"""How busy this process was lately: what its heartbeats tell, in steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from django_agenda.models.load import STEPS, Step, step_of


class LoadLine:
    """Keep a quarter of an hour; the heart notes what it beats, and stores what it gets."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=STEPS)
        self._beats = 0
        self._failed = 0

    def note(self, counts: Mapping[str, int], moment: datetime) -> list[Step]:
        """Add one heartbeat, and return what is stored: the oldest step first."""
        number, busy = step_of(moment), float(counts.get("running", 0))
        failed = counts.get("failed", 0)
        news, self._failed = failed - self._failed, failed
        last = self._steps[-1] if self._steps else None
        if last is not None and last.number == number:
            self._beats += 1
            self._steps.pop()
            busy = last.busy + (busy - last.busy) / self._beats
            news += last.failed
        else:
            self._beats = 1
        self._steps.append(Step(number, round(busy, 2), news))
        return list(self._steps)
