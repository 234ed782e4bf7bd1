"""A worker process: its parts, how they start, and how they stop."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, router

from django_agenda.clock import monotonic
from django_agenda.conf import Settings, get_settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker
from django_agenda.scheduling.enqueue import enqueue
from django_agenda.scheduling.tables import explained
from django_agenda.signals import batch_paused, worker_started, worker_stopped

from .alarm import Alarm
from .board import Board
from .claim import Claim, Outcome
from .claims import return_claims
from .codes import DRAINED, INTERRUPTED
from .control import Control
from .crew import Crew
from .hands import Hands
from .heart import Heart, new_worker
from .heed import Heed
from .holdings import Holdings
from .in_hand import InHand
from .intake import Intake, make_intake
from .lease import Lease
from .options import Options
from .post import Post
from .pulse import Pulse, touch
from .recorder import Recorder
from .settle import blame
from .shutdown import Shutdown
from .trouble import DATABASE, Pause, Trouble
from .watchdog import Watchdog

# How long the parts themselves may take to end, apart from the bodies.
PARTS_TIMEOUT = 10.0


class WorkerProcess:
    """Run what is due, until a signal, or until the options say that it is enough.

    `post` leads to the supervisor; without one nobody replaces this process when it must end.
    """

    def __init__(self, options: Options, *, version: str = "", post: Post | None = None) -> None:
        settings = get_settings()
        self.options = options
        self._control = Control(router.db_for_write(Execution))
        self._using = self._control.alias
        self._trouble = Trouble()
        self._post = post
        self._board = Board(options.concurrency) if post is None else post.board
        self._shutdown = Shutdown(None if post is None else lambda: self._board.order)
        row = new_worker(
            options.worker_id,
            queues=str(options.queues),
            concurrency=options.concurrency,
            version=version,
            is_quiet=self._board.is_quiet,
        )
        self._heart = Heart(self._using, row, settings, self._trouble)
        self._hands = Hands(options.concurrency, self._has_room, settings.MAX_UNSAVED)
        self._holdings = Holdings()
        self._recorder = Recorder(self._control, self._holdings, self._trouble)
        self._in_hand = InHand()
        self._crew = self._make_crew(settings)
        self._alarm = Alarm(self._crew.start)
        self._max_unsaved = settings.MAX_UNSAVED
        self._longest_unsaved = settings.WORKER_TTL.total_seconds() / 2
        self._given_back = 0
        self._heart.counts = self._counts
        self._intake = self._make_intake(settings)
        self._loops = self._intake.loops
        self._heart.heed = Heed(self._board, post, self._shutdown, self._loops)
        parts = {name: self._loops[name].progress for name in ("claimer", "heart", "ticker")}
        parts["recorder"] = self._recorder.progress
        limit = settings.WATCHDOG.total_seconds()
        self._watchdog = Watchdog(parts, limit, self._recorder.last_gasp)
        self._pulse = Pulse(parts.values(), check=self._check, progress=self._progress)

    def _make_crew(self, settings: Settings) -> Crew:
        return Crew(
            self.options,
            settings,
            name=self._row().name,
            board=self._board,
            post=self._post,
            hands=self._hands,
            in_hand=self._in_hand,
            control=self._control,
            trouble=self._trouble,
            done=self._done,
            record=self._recorder.put,
            blame=self._blame,
            enough=self._shutdown.request,
        )

    def _make_intake(self, settings: Settings) -> Intake:
        return make_intake(
            self.options,
            settings,
            heart=self._heart,
            hands=self._hands,
            holdings=self._holdings,
            in_hand=self._in_hand,
            alarm=self._alarm,
            control=self._control,
            trouble=self._trouble,
            start=self._crew.start,
            lease=self._lease,
            may_claim=self._may_claim,
            is_idle=self._is_idle,
            enough=self._shutdown.request,
        )

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        with self._shutdown, self._control:
            self._pulse.start()
            if self._post is not None:
                self._shutdown.listen(self._post.line, self._hear)
            if not self._register():
                self._say_that_it_stopped()
                return DRAINED
            worker_started.send_robust(Worker, worker=self._row())
            self._begin()
            while not self._shutdown.wait(None):
                pass
            code = self._stop()
            self._board.finished = True
        self._say_that_it_stopped()
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
                self._control.refresh()
                if not self._trouble.is_on(DATABASE):
                    self._trouble.met(explained(self._using, error))
                self._shutdown.wait(pause.longer())
            else:
                return True
        return False

    def _begin(self) -> None:
        if self.options.burst:
            # It must not end before what never reached the broker was enqueued.
            self._safely(self._intake.chores)
        batch_paused.connect(self._intake.hear_of_pause)
        self._recorder.start()
        self._crew.begin()
        self._alarm.start()
        for name, loop in self._loops.items():
            # A burst looks so often that nobody needs to wake it.
            if name not in ("waker", "bell") or not self.options.burst:
                loop.start()
        self._watchdog.start()

    def _stop(self) -> int:
        began = monotonic()
        for name in ("bell", "ticker", "waker", "caretaker", "claimer"):
            self._loops[name].stop()
        for name in ("ticker", "caretaker", "claimer"):
            self._loops[name].join(PARTS_TIMEOUT)
        self._safely(self._heart.drain)
        self._let_go(self._in_hand.let_go(self._alarm.empty() + self._crew.empty()))
        self._hands.ask_when_empty()
        while self._hands.held and (left := self._patience(began)) > 0:
            if self._shutdown.wait(left, beyond=1):
                break
        code = self._crew.code
        if self._hands.held:
            code = INTERRUPTED
            self._let_go(bodies := self._crew.interrupt(), have_begun=True)
            self._given_back = len(bodies)
            self._let_go(self._in_hand.let_go(self._crew.empty()))
        else:
            self._crew.join(1.0)
        self._end_parts()
        return code

    def _say_that_it_stopped(self) -> None:
        reason, given_back = self._shutdown.reason, self._given_back
        worker_stopped.send_robust(Worker, worker=self._row(), reason=reason, given_back=given_back)

    def _patience(self, began: float) -> float:
        """Return the seconds that bodies still have; a process that retires is in no hurry."""
        if (told_at := self._shutdown.told_at) is not None:
            return told_at + self.options.shutdown_timeout.total_seconds() - monotonic()
        return began + get_settings().RETIRE_TIMEOUT.total_seconds() - monotonic()

    def _end_parts(self) -> None:
        batch_paused.disconnect(self._intake.hear_of_pause)
        for name in ("cancellations", "reports"):
            self._loops[name].stop()
        for name in ("cancellations", "reports"):
            self._loops[name].join(PARTS_TIMEOUT)
        self._crew.last_words()
        if not self._recorder.stop(PARTS_TIMEOUT):
            self._recorder.give_up()
        self._crew.end()
        self._loops["heart"].stop()
        self._loops["heart"].join(PARTS_TIMEOUT)
        self._watchdog.stop()
        self._pulse.stop()
        self._safely(self._heart.stop)

    def _let_go(self, claims: list[Claim], *, have_begun: bool = False) -> None:
        """Give claims back, so that another worker can run them at once."""
        self._hands.put_down(len(claims))
        self._safely(lambda: enqueue(return_claims(self._using, claims, have_begun=have_begun)))
        self._holdings.drop(claims)

    def _safely(self, step: Callable[[], object]) -> None:
        """Do a step; what fails is healed later, by a caretaker."""
        try:
            self._control.refresh()
            step()
        except (DatabaseError, InterfaceError, BrokerUnavailable) as error:
            self._trouble.met(error)

    def _done(self, outcome: Outcome) -> None:
        self._recorder.put(outcome)
        if self.options.max_tasks is not None:
            self._board.count()
        self._hands.put_down(seconds=outcome.run_ms / 1000)

    def _row(self) -> Worker:
        return self._heart.worker

    def _lease(self) -> Lease:
        lease = self._heart.lease
        if lease.worker.pk != self._board.worker:
            # Before anything is claimed under it: whoever settles after a crash goes by that.
            self._board.worker = lease.worker.pk
        return lease

    def _blame(self, claim: Claim) -> None:
        """Take note that a body's own process has died."""
        blame(self._using, claim.lease.worker, [(claim.id, claim.attempt)])
        self._holdings.drop([claim])
        self._hands.put_down()

    def _hear(self) -> None:
        """Take what the supervisor sends: a process that computes, or word that it is gone."""
        if self._post is None:
            return
        given = self._post.take_cpu()
        if given is not None:
            self._crew.attach(*given)
        else:
            self._shutdown.forget(self._post.line)
            self._shutdown.orphaned()

    def _check(self) -> None:
        self._board.alive()
        self._crew.check()

    def _progress(self) -> None:
        self._board.progress()
        if self._post is None and self.options.heartbeat_file is not None:
            touch(self.options.heartbeat_file)

    def _may_claim(self) -> bool:
        return (
            self._heart.is_trusted
            and not self._heart.is_quiet
            and self._recorder.unsaved < self._max_unsaved
            and self._recorder.waits < self._longest_unsaved
        )

    def _is_idle(self) -> bool:
        return not self._hands.held and not self._recorder.unsaved

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
