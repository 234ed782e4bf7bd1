"""What really ran, written down by the bodies themselves: neither the database nor Redis knows it.

Every body writes a line when it starts and one when it ends. A line is one `write` to a file that
was opened to append, so that the lines of all processes stand whole and in the order of writing,
and a process that is killed leaves what it had written.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django_agenda import current
from django_agenda.clock import now

VARIABLE = "AGENDA_CHAOS_LEDGER"
OK, ERROR = "ok", "error"


@dataclass(slots=True)
class BodyRun:
    """Hold one run of a body; times are seconds since 1970, `ended` is empty when it never did.

    `pid` is that of the supervisor, which leads the group of its worker's processes.
    """

    id: str
    attempt: int
    pid: int
    started: float
    due: float
    ended: float | None = None
    outcome: str = ""


@contextmanager
def written_down() -> Iterator[None]:
    """Write the start and the end of the body that this block is."""
    token = f"{current.execution.pk.hex} {current.attempt} {os.getpgrp()}"
    due = current.execution.due_at.timestamp()
    _write(f"start {token} {now().timestamp():.6f} {due:.6f}\n")
    outcome = ERROR
    try:
        yield
        outcome = OK
    finally:
        _write(f"end {token} {now().timestamp():.6f} {outcome}\n")


def read(path: Path) -> dict[str, list[BodyRun]]:
    """Return the runs of each execution, in the order of their starts."""
    runs: defaultdict[str, list[BodyRun]] = defaultdict(list)
    open_: dict[tuple[str, int, int], BodyRun] = {}
    for line in path.read_text().splitlines():
        word, id_, attempt, pid, moment, last = line.split(" ")
        token = (id_, int(attempt), int(pid))
        if word == "start":
            open_[token] = BodyRun(*token, started=float(moment), due=float(last))
            runs[id_].append(open_[token])
        else:
            ended = open_.pop(token)
            ended.ended, ended.outcome = float(moment), last
    return dict(runs)


def _write(line: str) -> None:
    os.write(_file(), line.encode())


@cache
def _file() -> int:
    return os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
