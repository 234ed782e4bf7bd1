"""A short-lived process that settles what another one had in its hands when it died."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError

from django_agenda.clock import monotonic
from django_agenda.conf import get_settings

from .codes import DRAINED, INTERRUPTED
from .control import Control
from .settle import Remains, settle
from .shutdown import SIGNALS, ignore
from .trouble import Pause, Trouble


def bury(using: str, remains: Remains, *, others: Callable[[], None]) -> int:
    """Settle, for as long as the dead one's lease lasts; after that any caretaker does it."""
    others()
    for number in SIGNALS:
        signal.signal(number, ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    trouble, pause = Trouble(), Pause()
    until = monotonic() + get_settings().WORKER_TTL.total_seconds()
    with Control(using) as control:
        while monotonic() < until:
            try:
                settle(control.alias, remains)
                return DRAINED
            except (DatabaseError, InterfaceError) as error:
                control.refresh()
                trouble.met(error)
                threading.Event().wait(pause.longer())
    return INTERRUPTED
