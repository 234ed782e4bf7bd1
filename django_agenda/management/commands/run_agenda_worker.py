"""Run what is due, at its moment."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from django_agenda import __version__
from django_agenda.conf import get_settings
from django_agenda.worker.options import Options
from django_agenda.worker.queues import Queues
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
        add("--queue-name", default="*", metavar="A,B", help="queues to serve (default: all)")
        add("--exclude-queues", default="", metavar="A,B", help="queues not to serve")
        add("--concurrency", type=positive, metavar="N", help="bodies to run at once")
        add("--burst", action="store_true", help="stop when nothing is due")
        add("--max-tasks", type=positive, metavar="N", help="stop after so many executions")
        add("--shutdown-timeout", type=seconds, metavar="S", help="seconds to wait for bodies")
        add("--worker-id", metavar="NAME", help="the worker's name (default: host:pid)")

    def handle(self, **options: Any) -> None:
        settings = get_settings()
        worker = WorkerProcess(
            Options(
                queues=Queues(names(options["queue_name"]), names(options["exclude_queues"])),
                concurrency=options["concurrency"] or settings.CONCURRENCY,
                burst=options["burst"],
                max_tasks=options["max_tasks"],
                shutdown_timeout=options["shutdown_timeout"] or settings.SHUTDOWN_TIMEOUT,
                worker_id=options["worker_id"],
            ),
            version=__version__,
        )
        sys.setswitchinterval(SWITCH_INTERVAL)
        if code := worker.run():
            sys.exit(code)


def names(text: str) -> list[str]:
    """Read a list of queue names, parted by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def positive(text: str) -> int:
    """Read a whole number that is at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def seconds(text: str) -> timedelta:
    """Read a number of seconds, with or without a fraction."""
    try:
        return timedelta(seconds=max(0.001, float(text)))
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"must be a number of seconds, not {text!r}") from None
