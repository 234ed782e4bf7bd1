"""The settings of a worker whose machine has a wrong wall clock: by so many seconds."""

from __future__ import annotations

import os
from datetime import timedelta

from django_agenda import clock

# Before anything else of the package has imported the functions.
_SHIFT = timedelta(seconds=float(os.environ["AGENDA_TEST_CLOCK_SHIFT"]))
_now, _unix_ms = clock.now, clock.unix_ms
clock.now = lambda: _now() + _SHIFT
clock.unix_ms = lambda: _unix_ms() + _SHIFT // timedelta(milliseconds=1)

from tests.settings import *  # noqa: E402, F403
