"""Make Redis, rows and counts agree."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import router

from django_agenda.exceptions import BrokerUnavailable
from django_agenda.management.database import in_a_sentence
from django_agenda.management.report_text import report_lines
from django_agenda.models import Execution
from django_agenda.scheduling.repair import reconcile

DIFFERS, UNAVAILABLE = 1, 2


class Command(BaseCommand):
    help = (
        "Makes Redis agree with the rows, and the counts of batches as well, beside running "
        "workers. Exit codes: 0 all agrees now, 1 --dry-run found differences, 2 Redis or the "
        "database cannot be used; what was put right until then stays so."
    )
    # Checks of models ask PostgreSQL for its version: one that is down would be a traceback.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--dry-run", action="store_true", help="say what differs, and change nothing")
        add("--json", action="store_true", help="write one JSON object")

    def handle(self, **options: Any) -> None:
        repair = not options["dry_run"]
        using = router.db_for_write(Execution)
        try:
            with in_a_sentence(using):
                report = reconcile(using, repair=repair)
        except BrokerUnavailable as error:
            self.stderr.write(f"Redis does not answer: {error}")
            sys.exit(UNAVAILABLE)
        if options["json"]:
            drifts = [one._asdict() for one in report.drifts]
            value = {"repaired": repair, **asdict(report), "drifts": drifts}
            self.stdout.write(json.dumps(value))
        else:
            self.stdout.write("\n".join(report_lines(report, repaired=repair)))
        if not repair and not report.is_clean:
            sys.exit(DIFFERS)
