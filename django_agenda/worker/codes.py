"""With which code a worker process ends."""

from __future__ import annotations

DRAINED = 0
INTERRUPTED = 1
# EX_SOFTWARE and EX_TEMPFAIL of sysexits.h.
BROKEN = 70
STUCK = 75
