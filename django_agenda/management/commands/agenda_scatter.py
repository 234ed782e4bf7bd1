"""Scatter the calls of a file of JSON lines."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from django_agenda.management.call_lines import rewindable
from django_agenda.management.database import in_a_sentence
from django_agenda.management.durations import duration, moment, window
from django_agenda.management.given import given, several
from django_agenda.management.progress_bar import ProgressBar
from django_agenda.management.scattering import plan, read_agenda, scattered
from django_agenda.models import Batch

_OPTIONS = ("start", "jitter", "strategy", "seed", "name", "key", "queue_name", "priority")


class Command(BaseCommand):
    help = "Scatters calls over a window: one JSON object a line, all of them or none."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("file", nargs="?", default="-", help="JSON lines; '-', the default, is standard input")
        add("--over", type=window, required=True, help="length of the window: 50m, PT50M or 3000")
        add(
            "--start",
            type=moment,
            help="its beginning, as 2030-01-31T09:00+01:00; now if not given",
        )
        add("--jitter", type=duration, help="at most this much either way, such as 30s")
        strategies = ("even", "random", "poisson", "ramp")
        add("--strategy", choices=strategies, default="even", help="how it is spread")
        add("--seed", type=int, help="makes jitter and the random strategies repeatable")
        add("--name", default="", help="the name of the batch, for people")
        add("--key", help="a batch that is alive with this key is left as it is")
        add("--label", action="append", default=[], help="may be repeated")
        add("--queue-name", help="instead of the tasks' own")
        add("--priority", type=int, help="instead of the tasks' own")
        add("--task", help="the task of lines that name none")
        add("--count", type=int, help="how many calls a pipe will give; then it is read only once")
        add(
            "--dry-run",
            action="store_true",
            help="check all, show when it would run, write nothing",
        )

    def handle(self, *, file: str, dry_run: bool, **options: Any) -> None:
        options = given(options, over=window, start=moment, jitter=duration)
        over = options["over"]
        source: Any = nullcontext(sys.stdin)
        try:
            if file != "-":
                source = Path(file).open(encoding="utf-8-sig")  # noqa: SIM115
            with source as stream:
                if dry_run or options["count"] is None:
                    with rewindable(stream) as text:
                        self._scatter(text, over, options, dry_run=dry_run)
                else:
                    self._scatter(stream, over, options, dry_run=False)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}") from error

    def _scatter(self, text: Any, over: Any, options: dict[str, Any], *, dry_run: bool) -> None:
        more = {name: options[name] for name in _OPTIONS} | {"labels": several(options["label"])}
        with in_a_sentence(router.db_for_write(Batch)):
            agenda = read_agenda(text, options["task"], None if dry_run else options["count"])
            if dry_run:
                if options["count"] not in (None, len(agenda)):
                    raise CommandError(f"--count is {options['count']}, of {len(agenda)} calls")
                self.stdout.write("\n".join(plan(agenda, over, **more)))
                return
            more["progress"] = ProgressBar(self.stderr).show
            self.stdout.write(scattered(agenda, over, **more))
