"""When a process must not go on: bodies that are stuck in it, or too much memory."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from .claim import Outcome
from .codes import DRAINED, STUCK
from .hands import Hands
from .post import Post
from .pulse import memory
from .runner import timed_out
from .running import Bodies, Body


class Retirement:
    """Write off bodies that do not heed their time-out, and see to it that the process ends.

    A slot that is written off counts no longer. Under a supervisor the process then claims no
    more and ends as soon as its other bodies have ended, and with it the stuck one; only then is
    a retry of that one scheduled, so that the two never overlap. Without a supervisor it goes on
    with the slots that are left, for as long as there are any.
    """

    def __init__(
        self,
        bodies: Bodies,
        hands: Hands,
        *,
        post: Post | None,
        max_memory: int | None,
        record: Callable[[Outcome], None],
        enough: Callable[[str], None],
    ) -> None:
        self._bodies = bodies
        self._hands = hands
        self._post = post
        self._max_memory = max_memory
        self._record = record
        self._enough = enough
        self._kept_back: list[Outcome] = []
        self.code = DRAINED

    def check(self) -> None:
        """Look for stuck bodies and at the memory; does no I/O but to read its own size."""
        for body in self._bodies.overdue():
            where = _stack(body)
            if self._bodies.write_off(body):
                self._write_off(body, where)
        if self._max_memory is not None and memory() > self._max_memory:
            self._max_memory = None
            self._retire("max memory")

    def returned(self) -> None:
        """Count a slot again whose body has come to its end after all."""
        self._hands.concurrency += 1

    def last_words(self) -> None:
        """Store what had to wait until nothing runs here any more."""
        while self._kept_back:
            self._record(self._kept_back.pop())

    def _write_off(self, body: Body, where: str) -> None:
        seconds = body.ends - body.began
        outcome = timed_out(body.claim, seconds, where)
        self._hands.concurrency -= 1
        if self._post is None or outcome.retry_at is None:
            self._record(outcome)
        else:
            self._kept_back.append(outcome)
        if self._post is not None or self._hands.concurrency <= 0:
            self.code = STUCK
            self._retire(f"{body.claim.task_name} does not heed its time-out")
        self._hands.put_down()

    def _retire(self, reason: str) -> None:
        if self._post is not None and not self._post.board.retires:
            self._post.retire()
        self._enough(reason)


def _stack(body: Body) -> str:
    frame = sys._current_frames().get(body.thread_id or 0)  # noqa: SLF001
    if frame is None:
        return "It is a coroutine that does not end when it is cancelled, or the loop is blocked."
    return "It goes on here:\n" + "".join(traceback.format_stack(frame)[-50:])
