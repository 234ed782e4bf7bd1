"""The parts that tick: what brings claims in, and what looks after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django_agenda.conf import Settings

from .alarm import Alarm
from .audit import Audit
from .cancellations import Cancellations
from .caretaker import Caretaker
from .claim import Claim
from .claimer import Claimer
from .control import Control
from .hands import Hands
from .heart import Heart
from .holdings import Holdings
from .in_hand import InHand
from .lease import Lease
from .loop import Loop
from .misfires import Misfires
from .options import Options
from .reports import Reports
from .ticker import Bell, Ticker
from .trouble import Trouble
from .waker import Waker


class Intake(NamedTuple):
    """Hold the loops by name, all chores at once, and who is to hear of paused batches."""

    loops: dict[str, Loop]
    chores: Callable[[], None]
    hear_of_pause: Callable[..., None]


def make_intake(
    options: Options,
    settings: Settings,
    *,
    heart: Heart,
    hands: Hands,
    holdings: Holdings,
    in_hand: InHand,
    alarm: Alarm,
    control: Control,
    trouble: Trouble,
    start: Callable[[Claim], None],
    lease: Callable[[], Lease],
    may_claim: Callable[[], bool],
    is_idle: Callable[[], bool],
    enough: Callable[[str], None],
) -> Intake:
    """Return the parts, each with those that it needs, not yet started."""
    using, queues = control.alias, options.queues
    misfires = Misfires(using, settings, lambda: heart.worker)
    heart.note_silence = misfires.note_silence
    claimer = Claimer(
        using,
        settings,
        queues,
        hands,
        alarm,
        in_hand,
        misfires,
        lease=lease,
        holdings=holdings,
        may_claim=may_claim,
        trouble=trouble,
        start=start,
        is_idle=is_idle,
        enough=enough,
        options=options,
    )
    audit = Audit(using, settings, heart=heart, holdings=holdings, trouble=trouble)
    caretaker = Caretaker(
        using, settings, queues, hands, heart=heart, audit=audit, take=claimer.take
    )
    cancellations = Cancellations(using, settings, hands, in_hand, holdings)
    ticker = Ticker(using, settings, lambda: caretaker.leads)
    waker = Waker(queues, hands, settings.MAX_BLOCK.total_seconds(), trouble)
    ticks = {
        "claimer": claimer.tick,
        "caretaker": caretaker.tick,
        "heart": heart.tick,
        "cancellations": cancellations.tick,
        "reports": Reports(using, settings, in_hand).tick,
        "ticker": ticker.tick,
    }
    loops = {name: Loop(name, tick, trouble, control) for name, tick in ticks.items()}
    loops["waker"] = Loop("waker", waker.tick, trouble)
    caretaker.took_lead = loops["ticker"].wake
    bell = Bell(settings, lambda: caretaker.leads, trouble, loops["ticker"].wake)
    loops["bell"] = Loop("bell", bell.tick, trouble)
    claimer.touch = loops["claimer"].progress.begin
    waker.wake = loops["claimer"].wake
    waker.is_quiet = lambda: heart.is_quiet
    waker.is_back = claimer.try_broker
    cancellations.wake = loops["cancellations"].wake

    def chores() -> None:
        caretaker.tick()
        ticker.catch_up()

    return Intake(loops, chores, cancellations.hear_of_pause)
