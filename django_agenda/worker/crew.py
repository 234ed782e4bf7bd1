"""Everything that runs bodies in one process, and what becomes of those that do not end."""

from __future__ import annotations

from collections.abc import Callable

from django_agenda.conf import Settings

from .board import Board
from .claim import Claim
from .control import Control
from .cpu import CpuBound
from .hands import Hands
from .in_hand import InHand
from .options import Options
from .pools import Coroutines, Done, Threads
from .post import Post
from .retirement import Retirement
from .running import Bodies
from .trouble import Trouble


class Crew:
    """Start each claim in the pool that is right for its task.

    `done` takes the outcome of a body that ended, and `record` that of one that did not: what it
    held is put down by then. `blame` takes a claim whose own process has died.
    """

    def __init__(
        self,
        options: Options,
        settings: Settings,
        *,
        name: str,
        board: Board,
        post: Post | None,
        hands: Hands,
        in_hand: InHand,
        control: Control,
        trouble: Trouble,
        done: Done,
        record: Done,
        blame: Callable[[Claim], None],
        enough: Callable[[str], None],
    ) -> None:
        self._bodies = bodies = Bodies(board, in_hand, settings.HARD_TIMEOUT_GRACE)
        self._retirement = Retirement(
            bodies,
            hands,
            post=post,
            max_memory=options.max_memory,
            record=record,
            enough=enough,
        )
        returned = self._retirement.returned
        self._threads = Threads(options.concurrency, name, done, bodies, returned)
        self._coroutines = Coroutines(name, done, bodies, returned)
        self._computes = post is not None and options.cpu_processes > 0
        self._cpu = CpuBound(
            options.cpu_processes,
            ask=(lambda: None) if post is None else post.ask_for_cpu,
            bodies=bodies,
            done=done,
            blame=blame,
            control=control,
            trouble=trouble,
            grace=settings.HARD_TIMEOUT_GRACE,
        )
        self.attach = self._cpu.attach
        self.check = self._retirement.check
        self.last_words = self._retirement.last_words

    @property
    def code(self) -> int:
        """Return the exit code that what has happened calls for, once all bodies have ended."""
        return self._retirement.code

    def begin(self) -> None:
        """Start the threads."""
        self._threads.start()

    def start(self, claim: Claim) -> None:
        """Run it as soon as there is a place for it."""
        task = claim.task
        if task.is_async:
            self._coroutines.put(claim)
        elif task.cpu_bound and self._computes:
            self._cpu.put(claim)
        else:
            self._threads.put(claim)

    def empty(self) -> list[Claim]:
        """Return what was not started, and start nothing more."""
        return self._threads.empty() + self._cpu.empty()

    def interrupt(self) -> list[Claim]:
        """Give up all that runs, end it where that is possible, and return it."""
        running = self._bodies.take_all()
        self._cpu.kill()
        return running

    def join(self, seconds: float) -> None:
        """Wait for the threads to end, once empty() was called."""
        self._threads.join(seconds)

    def end(self) -> None:
        """End the event loop; what still runs in it is abandoned."""
        self._coroutines.join(1.0)
