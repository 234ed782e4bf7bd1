"""Run what is due, at its moment."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from django_agenda import __version__
from django_agenda.conf import MOST_BODIES, get_settings
from django_agenda.logs import shown_on
from django_agenda.tasks.task import check_queue_name
from django_agenda.worker.options import Options
from django_agenda.worker.queues import EVERY, Queues
from django_agenda.worker.reload import is_reloaded, reload_for_ever
from django_agenda.worker.supervisor import Supervisor
from django_agenda.worker.worker import WorkerProcess

# Bodies that compute must not hold up the threads that keep the time.
SWITCH_INTERVAL = 0.001
LONGEST_NAME = 120
MOST_PROCESSES = 1000
_DIGITS = 9
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


class Command(BaseCommand):
    help = (
        "Runs scheduled executions at their moment, in processes that it looks after. The first"
        " SIGTERM or SIGINT drains, a second gives running work back and ends, a third ends at"
        " once. Exit codes: 0 drained, 1 ended with work given back; see the documentation."
    )

    is_program = False
    """Whether this process is there for the command alone."""

    def run_from_argv(self, argv: list[str]) -> None:
        self.is_program = True
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--queue-name", default="*", type=queues, metavar="A,B", help="queues to serve")
        add("--exclude-queues", default=[], type=queues, metavar="A,B", help="queues not to serve")
        add("--processes", type=processes, metavar="N", help="worker processes (default: 1)")
        add("--concurrency", type=bodies, metavar="N", help="bodies that each runs at once")
        add(
            "--cpu-processes",
            type=cpu_processes,
            metavar="N",
            help="processes for cpu_bound tasks, made when needed (default: one for each CPU)",
        )
        add("--max-memory", type=size, metavar="SIZE", help="replace a process over it: 500M, 2G")
        add("--burst", action="store_true", help="stop when nothing is due")
        add("--max-tasks", type=positive, metavar="N", help="stop after so many executions")
        add("--shutdown-timeout", type=seconds, metavar="S", help="seconds to wait for bodies")
        add("--autoreload", action="store_true", help="start again when code has changed")
        add("--heartbeat-file", type=file, metavar="PATH", help="touch it while work goes on")
        add("--worker-id", type=name, metavar="NAME", help="the worker's name (default: host:pid)")

    def check(self, *args: Any, **options: Any) -> None:
        """Check the project; leave out what a database that is down cannot tell.

        Checks of models ask its server for its version, and the worker itself waits for it.
        """
        with suppress(DatabaseError, InterfaceError):
            super().check(*args, **options)

    def handle(self, **options: Any) -> None:
        if options["autoreload"] and not is_reloaded():
            self._end(reload_for_ever([sys.executable, *sys.orig_argv[1:]]))
            return
        sys.setswitchinterval(SWITCH_INTERVAL)
        with shown_on(self.stderr):
            code = self._worker(options).run()
        self._end(code)

    def _worker(self, options: dict[str, Any]) -> Supervisor | WorkerProcess:
        wishes = options["processes"] or options["cpu_processes"]
        is_in_process = options["burst"] or not self.is_program
        if not hasattr(os, "fork") or (is_in_process and not wishes):
            return WorkerProcess(read(options), version=__version__)
        lifeline = sys.stdin.fileno() if is_reloaded() else None
        return Supervisor(read(options), version=__version__, lifeline=lifeline)

    def _end(self, code: int) -> None:
        if code and self.is_program:
            # Threads of the bodies that were given up must not hold the end up.
            self.stderr.flush()
            os._exit(code)


def read(options: dict[str, Any]) -> Options:
    """Return the options as the worker wants them; what was not given has its default."""
    options = {name: checked(name, value) for name, value in options.items()}
    settings = get_settings()
    cpu = options["cpu_processes"]
    try:
        served = Queues(options["queue_name"], options["exclude_queues"])
    except ValueError as error:
        raise CommandError(f"{error}.") from None
    return Options(
        queues=served,
        processes=options["processes"] or 1,
        concurrency=options["concurrency"] or settings.CONCURRENCY,
        cpu_processes=(os.cpu_count() or 1) if cpu is None else cpu,
        max_memory=options["max_memory"],
        burst=options["burst"],
        max_tasks=options["max_tasks"],
        shutdown_timeout=options["shutdown_timeout"] or settings.SHUTDOWN_TIMEOUT,
        heartbeat_file=options["heartbeat_file"],
        worker_id=options["worker_id"],
    )


def checked(option: str, value: Any) -> Any:
    """Return an option as its parser gives it: call_command() hands on what it was given."""
    reader = _readers().get(option)
    if reader is None or value is None or isinstance(value, timedelta):
        return value
    text = ",".join(value) if isinstance(value, list | tuple) else str(value)
    try:
        return reader(text) if text or not isinstance(value, list | tuple) else []
    except ArgumentTypeError as error:
        raise CommandError(f"--{option.replace('_', '-')}: {error}") from None


def _readers() -> dict[str, Callable[[str], Any]]:
    return {
        "queue_name": queues,
        "exclude_queues": queues,
        "processes": processes,
        "concurrency": bodies,
        "cpu_processes": cpu_processes,
        "max_memory": size,
        "max_tasks": positive,
        "shutdown_timeout": seconds,
        "heartbeat_file": file,
        "worker_id": name,
    }


def queues(text: str) -> list[str]:
    """Read queue names parted by commas; `*` is every queue."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ArgumentTypeError("must name at least one queue")
    try:
        return [name if name == EVERY else check_queue_name(name) for name in names]
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    """Read a whole number that is at least 1."""
    return _within(1, None, text)


def bodies(text: str) -> int:
    """Read how many bodies a process runs at once, each in a thread."""
    return _within(1, MOST_BODIES, text)


def processes(text: str) -> int:
    """Read a number of processes that is at least 1."""
    return _within(1, MOST_PROCESSES, text)


def cpu_processes(text: str) -> int:
    """Read a number of processes, or none."""
    return _within(0, MOST_PROCESSES, text)


def _within(least: int, most: int | None, text: str) -> int:
    value = int(text) if text.isdecimal() and len(text) <= _DIGITS else -1
    if not least <= value <= (value if most is None else most):
        end = "" if most is None else f" to {most}"
        raise ArgumentTypeError(f"must be a whole number from {least}{end}, not {text!r:.80}")
    return value


def name(text: str) -> str:
    """Read the name of a worker, to which a number may be added."""
    if not 1 <= len(text) <= LONGEST_NAME or not text.isprintable():
        raise ArgumentTypeError(f"must be 1 to {LONGEST_NAME} printable characters, not {text!r}")
    return text


def file(text: str) -> Path:
    """Read the path of a file; where its folder is lacking nobody would ever find it."""
    path = Path(text)
    if not path.parent.is_dir():
        raise ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise ArgumentTypeError(f"must be a file, not the folder {text!r}")
    return path


def size(text: str) -> int:
    """Read a number of bytes, with K, M or G behind it for more."""
    unit = text[-1:].upper()
    try:
        value = int(float(text[:-1]) * _UNITS[unit]) if unit in _UNITS else int(text)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"must be a size like 500M, not {text!r}") from None
    if value <= 0:
        raise ArgumentTypeError(f"must be more than 0, not {text!r}")
    return value


def seconds(text: str) -> timedelta:
    """Read a number of seconds, with or without a fraction."""
    try:
        wait = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"must be a number of seconds, not {text!r}") from None
    if wait <= timedelta(0):
        raise ArgumentTypeError(f"must be more than 0 seconds, not {text!r}")
    return wait
