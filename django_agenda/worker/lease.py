"""The right of one incarnation of a worker to what it has claimed."""

from __future__ import annotations

import math

from django_agenda.clock import monotonic
from django_agenda.models.worker import Worker


class Lease:
    """Hold an incarnation, and until when no other worker can have declared it lost.

    Every claim names its lease: a body starts, and an outcome is stored, under the incarnation
    that claimed it, whatever the process has become since.
    """

    __slots__ = ("_seconds", "_until", "worker")

    def __init__(self, worker: Worker, seconds: float = math.inf) -> None:
        self.worker = worker
        self._seconds = seconds
        self._until = math.inf

    @property
    def is_trusted(self) -> bool:
        """Tell whether it may start anything; measured from before its last heartbeat."""
        return monotonic() < self._until

    def renew(self, began: float) -> None:
        """Note a heartbeat that was sent at that moment of the monotonic clock."""
        self._until = began + self._seconds

    def void(self) -> None:
        """Note that it was lost."""
        self._until = -math.inf
