"""Delete old executions, batches and workers."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import router

from django_agenda.management.database import in_a_sentence
from django_agenda.management.durations import duration
from django_agenda.management.given import given, several
from django_agenda.management.pruning import check_alone, ended_batch, rules_from
from django_agenda.management.tables import aligned
from django_agenda.models import Batch, Execution
from django_agenda.scheduling.prune import drop_batch, prune


class Command(BaseCommand):
    help = (
        "Deletes what the RETENTION settings call old, in chunks, beside running workers. A batch "
        "keeps its counts, and a rollup from which its timeline is drawn."
    )
    # Checks of models ask PostgreSQL for its version: one that is down would be a traceback.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--older-than", type=duration, metavar="30d", help="instead of the settings")
        add("--status", action="append", choices=Batch.ENDED, help="only these executions")
        add("--batches", action="store_true", help="with --older-than: the batches' records too")
        add("--batch", type=int, metavar="ID", help="delete this batch, and nothing else")
        add("--dry-run", action="store_true", help="say how many, and delete nothing")
        add("--json", action="store_true", help="write one JSON object")

    def handle(self, **options: Any) -> None:
        options = given(options, older_than=duration) | {"status": several(options["status"])}
        with in_a_sentence(router.db_for_write(Execution)):
            gone = self._prune(options)
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": options["dry_run"], "pruned": gone}))
        elif gone:
            verb = "would prune" if options["dry_run"] else "pruned"
            self.stdout.write("\n".join(aligned([(verb, gone[what], what) for what in gone])))
        else:
            self.stdout.write("Nothing is old enough to be pruned.")

    def _prune(self, options: dict[str, Any]) -> Counter[str]:
        using, dry_run = router.db_for_write(Execution), options["dry_run"]
        if options["batch"] is not None:
            check_alone(options)
            steps = drop_batch(using, ended_batch(using, options["batch"]), dry_run=dry_run)
        else:
            steps = prune(using, rules_from(options), dry_run=dry_run)
        return sum(steps, Counter())
