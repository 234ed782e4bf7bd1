"""A worker process: its parts, how they start, and how they stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, close_old_connections, connections, router

from django_agenda.clock import monotonic
from django_agenda.conf import get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker
from django_agenda.scheduling.enqueue import enqueue
from django_agenda.signals import worker_started, worker_stopped

from .alarm import Alarm
from .board import Board
from .caretaker import Caretaker
from .claim import Claim, Outcome
from .claimer import Claimer
from .claims import give_back
from .codes import DRAINED, INTERRUPTED
from .cpu import CpuBound
from .hands import Hands
from .heart import Heart, new_worker
from .loop import Loop
from .options import Options
from .pools import Coroutines, Threads
from .post import Post
from .recorder import Recorder
from .retirement import Retirement
from .running import Bodies
from .settle import blame
from .shutdown import Shutdown
from .trouble import DATABASE, Pause, Trouble
from .waker import Waker
from .watchdog import Watchdog, touch

# How long the parts themselves may take to end, apart from the bodies.
PARTS_TIMEOUT = 10.0
# The caretaker's chores may take long, and the waker blocks by design.
WATCHED = ("claimer", "heart")


class WorkerProcess:
    """Run what is due, until a signal, or until the options say that it is enough.

    `post` leads to the supervisor; without one nobody replaces this process when it must end.
    """

    def __init__(self, options: Options, *, version: str = "", post: Post | None = None) -> None:
        settings = get_settings()
        self.options = options
        self._using = router.db_for_write(Execution)
        self._shown: UUID | None = None
        self._stores = 0
        self._counts_ended = options.max_tasks is not None
        self._trouble = Trouble()
        self._post = post
        self._board = Board(options.concurrency) if post is None else post.board
        self._shutdown = Shutdown(None if post is None else lambda: self._board.order)
        row = new_worker(
            options.worker_id,
            queues=str(options.queues),
            concurrency=options.concurrency,
            version=version,
        )
        self._heart = Heart(self._using, row, settings, self._trouble)
        self._hands = Hands(options.concurrency, self._has_room)
        self._recorder = Recorder(self._using, self._row_to_record, self._trouble)
        self._bodies = Bodies(self._board, settings.HARD_TIMEOUT_GRACE)
        self._retirement = Retirement(
            self._bodies,
            self._hands,
            post=post,
            max_memory=options.max_memory,
            record=self._recorder.put,
            enough=self._enough,
        )
        pool: dict[str, Any] = {"bodies": self._bodies, "returned": self._retirement.returned}
        self._threads = Threads(options.concurrency, row.name, self._done, **pool)
        self._coroutines = Coroutines(row.name, self._done, **pool)
        self._has_cpu = post is not None and options.cpu_processes > 0
        self._cpu = CpuBound(
            options.cpu_processes,
            ask=(lambda: None) if post is None else post.ask_for_cpu,
            bodies=self._bodies,
            done=self._done,
            blame=self._blame,
            trouble=self._trouble,
            grace=settings.HARD_TIMEOUT_GRACE,
        )
        self._alarm = Alarm(self._start)
        self._max_unsaved = settings.MAX_UNSAVED
        self._heart.counts = self._counts
        waker = Waker(options.queues, self._hands, settings.MAX_BLOCK.total_seconds())
        claimer = Claimer(
            self._using,
            settings,
            options.queues,
            self._hands,
            self._alarm,
            worker=self._row,
            may_claim=self._may_claim,
            trouble=self._trouble,
            start=self._start,
            is_quiet=self._is_quiet,
            enough=self._enough,
            options=options,
        )
        self._caretaker = Caretaker(
            self._using, settings, options.queues, self._hands, heart=self._heart, take=claimer.take
        )
        self._loops = {
            "claimer": Loop("claimer", claimer.tick, self._trouble),
            "caretaker": Loop("caretaker", self._caretaker.tick, self._trouble),
            "waker": Loop("waker", waker.tick, self._trouble),
            "heart": Loop("heart", self._heart.tick, self._trouble),
        }
        waker.wake = self._loops["claimer"].wake
        self._watchdog = Watchdog(
            {"recorder": self._storing, **{name: self._loops[name].mark for name in WATCHED}},
            checks=[self._board.alive, self._retirement.check],
            progress=self._progress,
            limit=None if post is None else settings.WATCHDOG_TIMEOUT,
        )

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        with self._shutdown:
            self._watchdog.start()
            if self._post is not None:
                self._shutdown.listen(self._post.line, self._hear)
            if not self._register():
                return DRAINED
            worker_started.send_robust(Worker, worker=self._row())
            self._begin()
            while not self._shutdown.wait(None):
                pass
            code = self._stop()
            self._watchdog.stop()
        worker_stopped.send_robust(Worker, worker=self._row(), reason=self._shutdown.reason)
        return code

    def stop(self) -> None:
        """Drain, as the first signal does; may be called from any thread."""
        self._shutdown.tell("stop() was called")

    def _register(self) -> bool:
        """Wait for the database, and write the worker's row; tell whether to go on."""
        pause = Pause()
        while not self._shutdown.count:
            try:
                self._heart.register()
            except (DatabaseError, InterfaceError) as error:
                close_old_connections()
                self._trouble.met(error)
                self._shutdown.wait(pause.longer())
            else:
                self._trouble.over(DATABASE)
                return True
        return False

    def _begin(self) -> None:
        if self.options.burst:
            # It must not end before what never reached the broker was enqueued.
            self._safely(self._caretaker.tick)
        self._recorder.start()
        self._threads.start()
        self._alarm.start()
        for loop in self._loops.values():
            loop.start()

    def _stop(self) -> int:
        began = monotonic()
        for name in ("waker", "caretaker", "claimer"):
            self._loops[name].stop()
        for name in ("caretaker", "claimer"):
            self._loops[name].join(PARTS_TIMEOUT)
        self._safely(self._heart.drain)
        self._let_go(self._alarm.empty() + self._threads.empty() + self._cpu.empty())
        self._hands.ask_when_empty()
        while self._hands.held and (left := self._patience(began)) > 0:
            if self._shutdown.wait(left, beyond=1):
                break
        code = self._retirement.code
        if self._hands.held:
            code = INTERRUPTED
            running = self._bodies.take_all()
            self._cpu.kill()
            self._let_go(running + self._threads.empty() + self._cpu.empty())
        else:
            self._threads.join(1.0)
        self._end_parts()
        return code

    def _patience(self, began: float) -> float:
        """Return the seconds that bodies still have; a process that retires is in no hurry."""
        if (told_at := self._shutdown.told_at) is not None:
            return told_at + self.options.shutdown_timeout.total_seconds() - monotonic()
        return began + get_settings().RETIRE_TIMEOUT.total_seconds() - monotonic()

    def _end_parts(self) -> None:
        self._retirement.last_words()
        if not self._recorder.stop(PARTS_TIMEOUT):
            self._recorder.give_up()
        self._coroutines.join(1.0)
        self._loops["heart"].stop()
        self._loops["heart"].join(PARTS_TIMEOUT)
        self._safely(self._heart.stop)
        self._board.finished = True
        connections.close_all()

    def _let_go(self, claims: list[Claim]) -> None:
        """Give claims back, so that another worker can run them at once."""
        tokens = [(claim.id, claim.attempt) for claim in claims]
        self._hands.put_down(len(tokens))
        self._safely(lambda: enqueue(give_back(self._using, self._row(), tokens)))

    def _safely(self, step: Callable[[], object]) -> None:
        """Do a step; what fails is healed later, by a caretaker."""
        try:
            close_old_connections()
            step()
        except (DatabaseError, InterfaceError, BrokerUnavailable) as error:
            self._trouble.met(error)

    def _start(self, claim: Claim) -> None:
        task = claim.task
        if task.is_async:
            self._coroutines.put(claim)
        elif task.cpu_bound and self._has_cpu:
            self._cpu.put(claim)
        else:
            self._threads.put(claim)

    def _done(self, outcome: Outcome) -> None:
        self._recorder.put(outcome)
        if self._counts_ended:
            self._board.count()
        self._hands.put_down(seconds=outcome.run_ms / 1000)

    def _row(self) -> Worker:
        worker = self._heart.worker
        if worker.pk is not self._shown:
            # Before anything is claimed under it: whoever settles after a crash goes by that.
            self._shown = worker.pk
            self._board.worker = worker.pk
        return worker

    def _row_to_record(self) -> Worker:
        self._stores += 1
        return self._row()

    def _may_claim(self) -> bool:
        return self._heart.is_trusted and self._recorder.unsaved < self._max_unsaved

    def _is_quiet(self) -> bool:
        return not self._hands.held and not self._recorder.unsaved

    def _enough(self, reason: str) -> None:
        self._shutdown.request(reason)

    def _blame(self, claim: Claim) -> None:
        blame(self._using, self._row(), [(claim.id, claim.attempt)])
        self._hands.put_down()

    def _hear(self) -> None:
        """Take what the supervisor sends: a process that computes, or word that it is gone."""
        if self._post is None:
            return
        given = self._post.take_cpu()
        if given is not None:
            self._cpu.attach(*given)
            return
        self._shutdown.forget(self._post.line)
        self._shutdown.orphaned()

    def _storing(self) -> object:
        return self._stores if self._recorder.unsaved else None

    def _progress(self) -> None:
        self._board.progress()
        if self._post is None and self.options.heartbeat_file is not None:
            touch(self.options.heartbeat_file)

    def _has_room(self) -> None:
        self._loops["claimer"].wake()
        if self._shutdown.count:
            self._shutdown.poke()

    def _counts(self) -> dict[str, int]:
        return {
            "running": self._hands.held,
            "succeeded": self._recorder.succeeded,
            "failed": self._recorder.failed,
        }
