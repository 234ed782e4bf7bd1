"""Pop what is due from the broker, and claim its rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from django_agenda.broker import broker
from django_agenda.broker.entry import due_ms
from django_agenda.clock import monotonic
from django_agenda.conf import Settings
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.transactions import in_transaction
from django_agenda.scheduling.enqueue import enqueue
from django_agenda.scheduling.miss import miss

from .alarm import Alarm
from .claim import Claim
from .claims import Claimed, claim
from .hands import Hands
from .holdings import Holdings
from .in_hand import InHand
from .lease import Lease
from .line import Line
from .misfires import Misfires
from .options import Options
from .queues import Queues
from .refused import refused
from .trouble import BROKER, Trouble
from .without_redis import Sight, database_now, rest

MILLISECOND = timedelta(milliseconds=1)
# How often a worker that ends by itself looks whether it may.
PAUSE = 0.02
# A claim is asked for this much before the moment, so that its round trips are over by then.
LEAD = 0.05
# What the broker calls due may be this much ahead of the database's rows, which are exact.
ROUNDING = MILLISECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Claimer:
    """Keep the pools busy, and no more than that; `tick` is one look at the broker."""

    def __init__(
        self,
        using: str,
        settings: Settings,
        queues: Queues,
        hands: Hands,
        alarm: Alarm,
        in_hand: InHand,
        misfires: Misfires,
        *,
        lease: Callable[[], Lease],
        holdings: Holdings,
        may_claim: Callable[[], bool],
        trouble: Trouble,
        start: Callable[[Claim], None],
        is_idle: Callable[[], bool],
        enough: Callable[[str], None],
        options: Options,
    ) -> None:
        self._using = using
        self._queues = queues
        self._hands = hands
        self._alarm = alarm
        self._lease = lease
        self._holdings = holdings
        self._in_hand = in_hand
        self._misfires = misfires
        self._sight = Sight(using, queues)
        self._line = Line(using, queues)
        self._broker_may_answer = False
        self.touch: Callable[[], object] = dict
        self._may_claim = may_claim
        self._trouble = trouble
        self._start = start
        self._is_idle = is_idle
        self._enough = enough
        self._options = options
        self._reach = settings.LOOKAHEAD
        self._longest = PAUSE if options.burst else settings.MAX_BLOCK.total_seconds()

    def tick(self) -> float:
        """Claim once; return the seconds until there is something to claim again."""
        is_idle = self._is_idle()
        room = self._room()
        if room <= 0:
            if not self._has_had_its_fill():
                return self._longest
            if is_idle:
                self._enough("max tasks")
            return PAUSE
        self._misfires.settle()
        if self._trouble.is_on(BROKER) and not self._broker_may_answer:
            return self._claim_without(room, is_idle=is_idle)
        self._broker_may_answer = False
        try:
            return self._claim(room, is_idle=is_idle)
        except BrokerUnavailable as error:
            self._trouble.met(error)
            return 0.0

    def try_broker(self) -> None:
        """Ask Redis at the next turn: it has answered somebody."""
        self._broker_may_answer = True

    def _claim(self, room: int, *, is_idle: bool) -> float:
        if is_idle and self._options.burst:
            self._queues.look_again()  # a callback may have gone to a queue that is new
        names = self._queues.in_turn()
        ahead = min(self._hands.free, room)
        asked = monotonic()
        found = broker.claim(names, limit=room, ahead=ahead, reach_ms=self._reach // MILLISECOND)
        # The server read its clock before now, so whoever counts from now is never early.
        starts = monotonic()
        self._trouble.over(BROKER, asked)
        self.touch()
        moment = _EPOCH + timedelta(microseconds=found.now_us)
        if found.ids:
            self._take(found.ids, moment, starts, starts - asked)
        elif is_idle and self._options.burst and self._is_over(found, moment):
            self._enough("nothing is due")
        if found.more or len(found.ids) >= room:
            return 0.0 if self._room() > 0 else self._longest
        return self._wait(found, moment, starts, ahead)

    def _claim_without(self, room: int, *, is_idle: bool) -> float:
        """Claim by the database alone, until the waker has heard of Redis again."""
        with self._holdings.claiming:
            taken = in_transaction(self._using, partial(self._pick, room))
            if taken is not None:
                self._holdings.add(taken.claims)
        count = 0
        if taken is not None:
            self._start_all(taken.claims)
            count = len(taken.claims) + taken.aside
        elif is_idle and self._options.burst and not self._line.is_waited_for():
            self._enough("nothing is due")
        return rest(count, room) if self._room() > 0 else self._longest

    def _pick(self, room: int) -> Claimed | None:
        ids = self._sight.pick(room)
        now = database_now(self._using)
        return self._claimed(ids, now, monotonic()) if ids else None

    def take(self, ids: list[str], moment: datetime, starts: float, blur: float = 0.0) -> int:
        """Claim these ids, and hand over those that are this worker's now; return how many."""
        with self._holdings.claiming:
            claimed = self._claimed(ids, moment, starts, blur)
            self._holdings.add(claimed.claims)
        self._start_all(claimed.claims)
        if claimed.entries:
            enqueue(claimed.entries)
        return len(claimed.claims) + claimed.aside

    def _claimed(
        self, ids: list[str], moment: datetime, starts: float, blur: float = 0.0
    ) -> Claimed:
        lease = self._lease()
        horizon = moment + self._reach + ROUNDING
        return claim(
            self._using,
            lease.worker,
            ids,
            moment=moment,
            starts=starts,
            blur=blur,
            horizon=horizon,
            lease=lease,
        )

    def _start_all(self, claims: list[Claim]) -> None:
        self._hands.take(len(claims))
        self._in_hand.add(claims)
        now = monotonic()
        self._alarm.add([one for one in claims if one.starts > now])
        for one in claims:
            if one.starts <= now:
                self._start(one)

    def _take(self, ids: list[str], moment: datetime, starts: float, blur: float) -> None:
        if self.take(ids, moment, starts, blur) < len(ids):
            later, expired = refused(self._using, ids, moment)
            enqueue(later)
            miss(self._using, expired, moment)

    def _room(self) -> int:
        room = self._hands.room() if self._may_claim() else 0
        most = self._options.max_tasks
        return room if most is None else min(room, most - self._hands.started)

    def _is_over(self, found: broker.Claims, moment: datetime) -> bool:
        """Tell whether nothing is due, nor will be in this very instant, as callbacks are."""
        soon = due_ms(moment + timedelta(seconds=LEAD))
        if found.more or (found.next_due_ms is not None and found.next_due_ms <= soon):
            return False
        return not self._line.is_waited_for()

    def _has_had_its_fill(self) -> bool:
        most = self._options.max_tasks
        return most is not None and self._hands.started >= most

    def _wait(self, found: broker.Claims, moment: datetime, starts: float, ahead: int) -> float:
        if found.next_due_ms is None:
            return self._longest
        due = _EPOCH + timedelta(milliseconds=found.next_due_ms)
        lead = LEAD if ahead > len(found.ids) else 0.0
        passed = monotonic() - starts
        wait = (due - moment).total_seconds() - passed - lead
        return min(self._longest, max(0.001, wait))
