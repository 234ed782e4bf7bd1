"""Show what waits, what runs, and who works."""

from __future__ import annotations

import json
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections, router

from django_agenda.management.database import in_a_sentence
from django_agenda.management.durations import period
from django_agenda.management.given import given
from django_agenda.management.status_text import status_lines
from django_agenda.models import Execution
from django_agenda.scheduling.survey import survey

CLEAR = "\x1b[H\x1b[2J"


class Command(BaseCommand):
    help = (
        "Shows batches, queues, workers, lateness and drift. The JSON form is one object a line, "
        "and its names are stable."
    )
    # Checks of models ask PostgreSQL for its version: one that is down would be a traceback.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--json", action="store_true", help="write one JSON object")
        add(
            "--watch",
            nargs="?",
            const="2s",
            type=period,
            metavar="2s",
            help="show it again and again, every 2 seconds or so often, until Ctrl-C",
        )

    def handle(self, **options: Any) -> None:
        options = given(options, watch=period)
        self._show(as_json=options["json"])
        if options["watch"] is None:
            return
        every = options["watch"].total_seconds()
        try:
            while not threading.Event().wait(every):
                close_old_connections()
                self._show(as_json=options["json"], clear=self.stdout.isatty())
        except KeyboardInterrupt:
            return

    def _show(self, *, as_json: bool, clear: bool = False) -> None:
        using = router.db_for_write(Execution)
        with in_a_sentence(using):
            found = survey(using)
        text = json.dumps(found.as_json()) if as_json else "\n".join(status_lines(found))
        self.stdout.write((CLEAR if clear and not as_json else "") + text)
