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
from django_agenda.signals import batch_paused, worker_started, worker_stopped

from .alarm import Alarm
from .audit import Audit
from .cancellations import Cancellations
from .caretaker import Caretaker
from .claim import Claim, Outcome
from .claimer import Claimer
from .claims import return_claims
from .control import Control
from .hands import Hands
from .heart import Heart, new_worker
from .holdings import Holdings
from .in_hand import InHand
from .loop import Loop
from .misfires import Misfires
from .options import Options
from .pools import Coroutines, Threads
from .recorder import Recorder
from .shutdown import Shutdown
from .trouble import DATABASE, Pause, Trouble
from .waker import Waker
from .watchdog import Watchdog

DRAINED = 0
INTERRUPTED = 1

# How long the parts themselves may take to end, apart from the bodies.
PARTS_TIMEOUT = 10.0


class WorkerProcess:
    """Run what is due, until a signal, or until the options say that it is enough."""

    def __init__(self, options: Options, *, version: str = "") -> None:  # noqa: PLR0915
        settings = get_settings()
        self.options = options
        self._control = Control(router.db_for_write(Execution))
        self._using = self._control.alias
        self._trouble = Trouble()
        self._shutdown = Shutdown()
        row = new_worker(
            options.worker_id,
            queues=str(options.queues),
            concurrency=options.concurrency,
            version=version,
        )
        self._heart = Heart(self._using, row, settings, self._trouble)
        self._hands = Hands(options.concurrency, self._has_room)
        self._holdings = Holdings()
        self._recorder = Recorder(self._control, self._holdings, self._trouble)
        self._in_hand = InHand()
        self._threads = Threads(options.concurrency, row.name, self._done, self._in_hand)
        self._coroutines = Coroutines(row.name, self._done, self._in_hand)
        self._alarm = Alarm(self._start)
        self._max_unsaved = settings.MAX_UNSAVED
        self._longest_unsaved = settings.WORKER_TTL.total_seconds() / 2
        self._heart.counts = self._counts
        waker = Waker(
            options.queues, self._hands, settings.MAX_BLOCK.total_seconds(), self._trouble
        )
        misfires = Misfires(self._using, settings, self._row)
        self._heart.note_silence = misfires.note_silence
        claimer = Claimer(
            self._using,
            settings,
            options.queues,
            self._hands,
            self._alarm,
            self._in_hand,
            misfires,
            lease=lambda: self._heart.lease,
            holdings=self._holdings,
            may_claim=self._may_claim,
            trouble=self._trouble,
            start=self._start,
            is_quiet=self._is_quiet,
            enough=self._enough,
            options=options,
        )
        audit = Audit(
            self._using, settings, heart=self._heart, holdings=self._holdings, trouble=self._trouble
        )
        self._caretaker = Caretaker(
            self._using,
            settings,
            options.queues,
            self._hands,
            heart=self._heart,
            audit=audit,
            take=claimer.take,
        )
        self._cancellations = cancellations = Cancellations(
            self._using, settings, self._hands, self._in_hand, self._holdings
        )
        ticks = {
            "claimer": claimer.tick,
            "caretaker": self._caretaker.tick,
            "heart": self._heart.tick,
            "cancellations": cancellations.tick,
        }
        self._loops = {
            name: Loop(name, tick, self._trouble, self._control) for name, tick in ticks.items()
        }
        self._loops["waker"] = Loop("waker", waker.tick, self._trouble)
        claimer.touch = self._loops["claimer"].progress.begin
        waker.wake = self._loops["claimer"].wake
        waker.is_back = claimer.try_broker
        cancellations.wake = self._loops["cancellations"].wake
        self._watchdog = self._make_watchdog(settings)

    def _make_watchdog(self, settings: Settings) -> Watchdog:
        parts = {name: self._loops[name].progress for name in ("claimer", "heart")}
        return Watchdog(
            {**parts, "recorder": self._recorder.progress},
            settings.WATCHDOG.total_seconds(),
            self._recorder.last_gasp,
        )

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        with self._shutdown, self._control:
            if not self._register():
                return DRAINED
            worker_started.send_robust(Worker, worker=self._row())
            self._begin()
            self._shutdown.wait(None)
            code = self._stop()
        worker_stopped.send_robust(Worker, worker=self._row(), reason=self._shutdown.reason)
        return code

    def stop(self) -> None:
        """Drain, as the first signal does; may be called from any thread."""
        self._shutdown.request("stop() was called")

    def _register(self) -> bool:
        """Wait for the database, and write the worker's row; tell whether to go on."""
        pause = Pause()
        while not self._shutdown.count:
            try:
                self._heart.register()
            except (DatabaseError, InterfaceError) as error:
                self._control.refresh()
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
        batch_paused.connect(self._cancellations.hear_of_pause)
        self._recorder.start()
        self._threads.start()
        self._alarm.start()
        for name, loop in self._loops.items():
            # A burst looks so often that nobody needs to wake it.
            if name != "waker" or not self.options.burst:
                loop.start()
        self._watchdog.start()

    def _stop(self) -> int:
        deadline = monotonic() + self.options.shutdown_timeout.total_seconds()
        for name in ("waker", "caretaker", "claimer"):
            self._loops[name].stop()
        for name in ("caretaker", "claimer"):
            self._loops[name].join(PARTS_TIMEOUT)
        self._safely(self._heart.drain)
        self._let_go(self._in_hand.let_go(self._alarm.empty() + self._threads.empty()))
        self._hands.ask_when_empty()
        while self._hands.held and monotonic() < deadline:
            if self._shutdown.wait(max(0.0, deadline - monotonic()), beyond=1):
                break
        running = [*self._threads.running.values(), *self._coroutines.running.values()]
        code = DRAINED
        if self._hands.held:
            code = INTERRUPTED
            self._let_go([one for one in running if self._in_hand.end(one)])
        else:
            self._threads.join(1.0)
        self._end_parts()
        return code

    def _end_parts(self) -> None:
        batch_paused.disconnect(self._cancellations.hear_of_pause)
        self._loops["cancellations"].stop()
        self._loops["cancellations"].join(PARTS_TIMEOUT)
        if not self._recorder.stop(PARTS_TIMEOUT):
            self._recorder.give_up()
        self._coroutines.join(1.0)
        self._loops["heart"].stop()
        self._loops["heart"].join(PARTS_TIMEOUT)
        self._watchdog.stop()
        self._safely(self._heart.stop)

    def _let_go(self, claims: list[Claim]) -> None:
        """Give claims back, so that another worker can run them at once."""
        self._hands.put_down(len(claims))
        self._safely(lambda: enqueue(return_claims(self._using, claims)))
        self._holdings.drop(claims)

    def _safely(self, step: Callable[[], object]) -> None:
        """Do a step; what fails is healed later, by a caretaker."""
        try:
            self._control.refresh()
            step()
        except (DatabaseError, InterfaceError, BrokerUnavailable) as error:
            self._trouble.met(error)

    def _start(self, claim: Claim) -> None:
        pool = self._coroutines if claim.task.is_async else self._threads
        pool.put(claim)

    def _done(self, outcome: Outcome) -> None:
        # One that was given back at the end of a shutdown is in hand no more.
        was_in_hand = self._in_hand.end(outcome.claim)
        self._recorder.put(outcome)
        if was_in_hand:
            self._hands.put_down(seconds=outcome.run_ms / 1000)

    def _row(self) -> Worker:
        return self._heart.worker

    def _may_claim(self) -> bool:
        return (
            self._heart.is_trusted
            and self._recorder.unsaved < self._max_unsaved
            and self._recorder.waits < self._longest_unsaved
        )

    def _is_quiet(self) -> bool:
        return not self._hands.held and not self._recorder.unsaved

    def _enough(self, reason: str) -> None:
        self._shutdown.request(reason)

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
