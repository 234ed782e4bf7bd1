"""Run what is due, at its moment."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError

from django_agenda import __version__
from django_agenda.conf import get_settings
from django_agenda.logs import shown_on
from django_agenda.tasks.task import check_queue_name
from django_agenda.worker.options import Options
from django_agenda.worker.queues import EVERY, Queues
from django_agenda.worker.worker import WorkerProcess

# Bodies that compute must not hold up the threads that keep the time.
SWITCH_INTERVAL = 0.001


class Command(BaseCommand):
    help = (
        "Runs scheduled executions at their moment. The first SIGTERM or SIGINT drains, a second "
        "gives running work back and ends. Exit codes: 0 drained, 1 ended with work given back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--queue-name", default="*", type=queues, metavar="A,B", help="queues to serve")
        add("--exclude-queues", default=[], type=queues, metavar="A,B", help="queues not to serve")
        add("--concurrency", type=positive, metavar="N", help="bodies to run at once")
        add("--burst", action="store_true", help="stop when nothing is due")
        add("--max-tasks", type=positive, metavar="N", help="stop after so many executions")
        add("--shutdown-timeout", type=seconds, metavar="S", help="seconds to wait for bodies")
        add("--worker-id", metavar="NAME", help="the worker's name (default: host:pid)")

    def check(self, *args: Any, **options: Any) -> None:
        """Check the project; leave out what a database that is down cannot tell.

        Checks of models ask its server for its version, and the worker itself waits for it.
        """
        with suppress(DatabaseError, InterfaceError):
            super().check(*args, **options)

    def handle(self, **options: Any) -> None:
        settings = get_settings()
        worker = WorkerProcess(
            Options(
                queues=Queues(wanted(options["queue_name"]), wanted(options["exclude_queues"])),
                concurrency=options["concurrency"] or settings.CONCURRENCY,
                burst=options["burst"],
                max_tasks=options["max_tasks"],
                shutdown_timeout=options["shutdown_timeout"] or settings.SHUTDOWN_TIMEOUT,
                worker_id=options["worker_id"],
            ),
            version=__version__,
        )
        sys.setswitchinterval(SWITCH_INTERVAL)
        with shown_on(self.stderr):
            code = worker.run()
        if code:
            # Threads of the bodies that were given up must not hold the end up.
            self.stderr.flush()
            os._exit(code)


def queues(text: str) -> list[str]:
    """Read queue names parted by commas; `*` is every queue."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ArgumentTypeError("must name at least one queue")
    try:
        return [name if name == EVERY else check_queue_name(name) for name in names]
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def wanted(option: list[str] | str) -> list[str]:
    """Return an option as its parser gives it, also when call_command() was given plain text."""
    return queues(option) if isinstance(option, str) else option


def positive(text: str) -> int:
    """Read a whole number that is at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def seconds(text: str) -> timedelta:
    """Read a number of seconds, with or without a fraction."""
    try:
        wait = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"must be a number of seconds, not {text!r}") from None
    if wait <= timedelta(0):
        raise ArgumentTypeError(f"must be more than 0 seconds, not {text!r}")
    return wait
