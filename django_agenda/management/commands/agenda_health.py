"""Tell by an exit code whether work gets done."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser, no_translations
from django.db import router

from django_agenda.management.durations import duration
from django_agenda.management.given import given
from django_agenda.management.tables import aligned
from django_agenda.models import Execution
from django_agenda.scheduling.health import BEHIND, BROKEN, WELL, Limits, examine

WORDS = {WELL: "well", BEHIND: "BEHIND", BROKEN: "BROKEN"}


class Command(BaseCommand):
    help = (
        "Checks servers, migrations, workers, and that nothing is overdue. Exit codes: 0 well, "
        "1 behind (no worker is alive, or work is late), 2 broken (a server does not answer, or "
        "migrations are not applied)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        default = Limits()
        add(
            "--max-lateness",
            type=duration,
            default=default.max_lateness,
            metavar="1m",
            help="how long anything may be overdue",
        )
        add(
            "--max-pending",
            type=duration,
            default=default.max_pending,
            metavar="5m",
            help="how long anything may wait for Redis to take it",
        )
        add("--json", action="store_true", help="write one JSON object")

    @no_translations
    def handle(self, **options: Any) -> None:
        options = given(options, max_lateness=duration, max_pending=duration)
        limits = Limits(max_lateness=options["max_lateness"], max_pending=options["max_pending"])
        found = examine(router.db_for_write(Execution), limits)
        level = max(one.level for one in found)
        if options["json"]:
            checks = {one.check: {"level": one.level, "words": one.words} for one in found}
            self.stdout.write(json.dumps({"level": level, "checks": checks}))
        else:
            rows = [(one.check, WORDS[one.level], one.words) for one in found]
            self.stdout.write("\n".join(aligned(rows)))
        if level != WELL:
            sys.exit(level)
