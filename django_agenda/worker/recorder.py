"""Store outcomes: one transaction for as many as wait."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from django.db import DatabaseError, InterfaceError

from django_agenda.broker.entry import Entry
from django_agenda.clock import monotonic
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.scheduling.enqueue import enqueue
from django_agenda.signals import executions_healed

from .claim import FENCED, Outcome
from .claims import return_claims
from .control import Control
from .holdings import Holdings
from .lease import Lease
from .progress import Progress
from .record import announce, blames_data, record, unstorable
from .trouble import BROKER, DATABASE, Pause, Trouble

MOST_AT_ONCE = 500
MOST_BYTES = 1024 * 1024


class Recorder(threading.Thread):
    """Take outcomes from every pool, and keep them until the database has them."""

    def __init__(self, control: Control, holdings: Holdings, trouble: Trouble) -> None:
        super().__init__(name="agenda-recorder", daemon=True)
        self._control = control
        self._holdings = holdings
        self._trouble = trouble
        self.progress = Progress()
        self.progress.is_alive = lambda: self.is_alive() or self._is_told or self.ident is None
        self._is_told = False
        self._waiting: SimpleQueue[Outcome | None] = SimpleQueue()
        self._in_hand: Sequence[Outcome] = ()
        self._in_hand_since: float | None = None
        self._counting = threading.Lock()
        self._put = 0
        self._stored = 0
        self._hurry = threading.Event()
        self.succeeded = 0
        self.failed = 0

    @property
    def unsaved(self) -> int:
        """Return how many outcomes the database has not yet."""
        return self._put - self._stored

    @property
    def waits(self) -> float:
        """Return for how many seconds the oldest of them has been in hand."""
        since = self._in_hand_since
        return 0.0 if since is None else monotonic() - since

    def put(self, outcome: Outcome) -> None:
        """Store it soon."""
        with self._counting:
            self._put += 1
        self._waiting.put(outcome)

    def stop(self, seconds: float) -> bool:
        """Store what waits, then end; tell whether all was stored in that time."""
        self._is_told = True
        self._waiting.put(None)
        self.join(seconds)
        return self.unsaved == 0

    def give_up(self) -> None:
        """Do not wait for a database that is down any longer."""
        self._hurry.set()

    def run(self) -> None:
        """Store all that waits while the last commit ran; then all that waits now; and so on."""
        is_last = False
        with self._control:
            while not is_last:
                outcomes, is_last = self._gather()
                self._in_hand, self._in_hand_since = outcomes, monotonic()
                self._keep(outcomes)
                self._in_hand, self._in_hand_since = (), None

    def last_gasp(self) -> None:
        """Try once, in the calling thread, to store whatever is not stored."""
        outcomes = list(self._in_hand)
        with suppress(Empty):
            while True:
                outcome = self._waiting.get_nowait()
                if outcome is not None:
                    outcomes.append(outcome)
        with self._control:
            for lease, group in _by_lease(outcomes).items():
                record(self._control.alias, lease.worker, group)

    def _gather(self) -> tuple[list[Outcome], bool]:
        outcomes: list[Outcome] = []
        size = 0
        outcome = self._waiting.get()
        while outcome is not None:
            outcomes.append(outcome)
            size += len(outcome.return_value or "") + len(outcome.traceback)
            if len(outcomes) == MOST_AT_ONCE or size > MOST_BYTES:
                return outcomes, False
            try:
                outcome = self._waiting.get_nowait()
            except Empty:
                return outcomes, False
        return outcomes, True

    def _keep(self, outcomes: Sequence[Outcome], *, is_cleaned: bool = False) -> None:
        """Store them, however long it takes; halve them when the data of one is refused."""
        pause = Pause()
        while outcomes and not self._hurry.is_set():
            began = monotonic()
            try:
                with self.progress:
                    self._store(outcomes)
            except (DatabaseError, InterfaceError, ValueError, TypeError, OverflowError) as error:
                self._control.refresh()
                if blames_data(error):
                    self._divide(outcomes, error, is_cleaned=is_cleaned)
                    return
                self._trouble.met(error)
                self._hurry.wait(pause.longer())
            else:
                self._trouble.over(DATABASE, began)
                return

    def _divide(self, outcomes: Sequence[Outcome], error: Exception, *, is_cleaned: bool) -> None:
        if len(outcomes) > 1:
            half = len(outcomes) // 2
            self._keep(outcomes[:half])
            self._keep(outcomes[half:])
        elif not is_cleaned:
            executions_healed.send_robust(Recorder, reason="outcome not storable", count=1)
            self._keep([unstorable(outcomes[0], error)], is_cleaned=True)
        else:
            # Its row stays running under this worker, which goes on holding it: whoever ends the
            # worker lets the rescue, and its limit, decide.
            self._trouble.met(error)
            self._stored += 1

    def _store(self, outcomes: Sequence[Outcome]) -> None:
        self._control.refresh()
        entries: list[Entry] = []
        for lease, group in _by_lease(outcomes).items():
            result = record(self._control.alias, lease.worker, group)
            entries += result.entries
            announce(group, result)
        entries += self._finish_others(outcomes)
        self._holdings.drop(outcome.claim for outcome in outcomes)
        self.progress.begin()
        self._enqueue(entries)
        self._count(outcomes)
        self._stored += len(outcomes)

    def _finish_others(self, outcomes: Sequence[Outcome]) -> list[Entry]:
        """Give back what was not started; announce what the bodies' own transactions stored."""
        entries: list[Entry] = []
        for outcome in outcomes:
            if outcome.recorded is not None:
                entries += outcome.recorded.entries
                announce([outcome], outcome.recorded)
        fenced = [one.claim for one in outcomes if one.status == FENCED and not one.recorded]
        back = return_claims(self._control.alias, fenced)
        if lost := sum(not claim.lease.is_trusted for claim in fenced):
            executions_healed.send_robust(Recorder, reason="lease was lost", count=lost)
        return entries + back

    def _enqueue(self, entries: Sequence[Entry]) -> None:
        # The overdue scan finds them; a broker that hangs would hold up the outcomes.
        if not entries or self._trouble.is_on(BROKER):
            return
        try:
            enqueue(entries)
        except BrokerUnavailable as error:
            self._trouble.met(error)

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        good = sum(outcome.status == "succeeded" for outcome in outcomes)
        self.succeeded += good
        self.failed += sum(outcome.status == "failed" for outcome in outcomes)


def _by_lease(outcomes: Sequence[Outcome]) -> dict[Lease, list[Outcome]]:
    """Part what is to be stored by the incarnation that claimed it: nearly always there is one."""
    groups: defaultdict[Lease, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.recorded is None and outcome.status != FENCED:
            groups[outcome.claim.lease].append(outcome)
    return groups
