"""Where bodies run: threads for plain functions, one event loop for coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections

from .claim import Claim, Outcome
from .deadline import Deadlines
from .in_hand import InHand
from .runner import arun, run

Done = Callable[[Outcome], None]


class Threads:
    """Run plain functions in so many threads, in the order in which they come."""

    def __init__(self, size: int, worker_name: str, done: Done, in_hand: InHand) -> None:
        self._waiting: SimpleQueue[Claim | None] = SimpleQueue()
        self._worker_name = worker_name
        self._done = done
        self._in_hand = in_hand
        self._deadlines = Deadlines()
        self._size = size
        self._threads: list[threading.Thread] = []
        self.running: dict[int, Claim] = {}

    def start(self) -> None:
        """Start the threads."""
        self._deadlines.start()
        for number in range(self._size):
            thread = threading.Thread(target=self._work, name=f"agenda-run-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def put(self, claim: Claim) -> None:
        """Run it as soon as a thread is free."""
        self._waiting.put(claim)

    def empty(self) -> list[Claim]:
        """Return what was not started, and let each thread end after what it runs."""
        left: list[Claim] = []
        while not self._waiting.empty():
            claim = self._waiting.get()
            if claim is not None:
                left.append(claim)
        for _ in self._threads:
            self._waiting.put(None)
        return left

    def join(self, seconds: float) -> None:
        """Wait for the threads to end, once they were told so."""
        self._deadlines.stop()
        for thread in self._threads:
            thread.join(seconds)

    def _work(self) -> None:
        me = threading.get_ident()
        try:
            while (claim := self._waiting.get()) is not None:
                context = self._in_hand.begin(claim)
                if context is None:
                    continue
                self.running[me] = claim
                outcome = run(claim, self._worker_name, self._deadlines, context)
                del self.running[me]
                self._done(outcome)
        finally:
            connections.close_all()


class Coroutines:
    """Run coroutines in one event loop, in a thread of its own that is started when needed."""

    def __init__(self, worker_name: str, done: Done, in_hand: InHand) -> None:
        self._worker_name = worker_name
        self._done = done
        self._in_hand = in_hand
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.running: dict[int, Claim] = {}

    def put(self, claim: Claim) -> None:
        """Run it now."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="agenda-loop", daemon=True
            )
            self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, claim)

    def join(self, seconds: float) -> None:
        """Stop the loop; what still runs in it is abandoned."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(seconds)
            if not self._thread.is_alive():
                self._loop.close()

    def _begin(self, claim: Claim) -> None:
        # The loop itself keeps only weak references to its tasks.
        task = asyncio.ensure_future(self._run(claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, claim: Claim) -> None:
        context = self._in_hand.begin(claim)
        if context is None:
            return
        self.running[id(claim)] = claim
        async with ThreadSensitiveContext() as threads:
            outcome = await arun(claim, self._worker_name, context)
            if threads in SyncToAsync.context_to_thread_executor:
                await sync_to_async(connections.close_all)()
        del self.running[id(claim)]
        self._done(outcome)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped; a body's child that exits ends the body, not the loop."""
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            continue
        return
