"""Everything that development needs, in one terminal."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import supports_color

from django_agenda.checks import names_redis
from django_agenda.conf import PRIVATE_REDIS, get_settings
from django_agenda.embedded import EmbeddedRedis
from django_agenda.exceptions import ServerMissing
from django_agenda.management.programs import Programs

_OURS = 5.0


class Command(BaseCommand):
    help = "Runs the site, a worker that reloads, and a private Redis if the project names none."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("address", nargs="?", default="", help="of the site, as runserver takes it")
        add("--private-redis", action="store_true", help="start one even if the project names one")
        add("--no-site", action="store_true", help="run no site")
        add("--queue-name", default="*", metavar="A,B", help="queues that the worker serves")

    def handle(self, **options: Any) -> None:
        program = _program()
        environment: dict[str, str] = {}
        with ExitStack() as stack:
            if options["private_redis"] or not names_redis():
                try:
                    environment[PRIVATE_REDIS] = stack.enter_context(EmbeddedRedis()).url
                except ServerMissing as error:
                    raise CommandError(str(error)) from None
            colors = not options["no_color"] and (options["force_color"] or supports_color())
            patience = get_settings().SHUTDOWN_TIMEOUT.total_seconds() + _OURS
            programs = Programs(self.stdout, colors=colors, patience=patience)
            for words in _said(environment):
                programs.say(words)
            queues = f"--queue-name={options['queue_name']}"
            worker = [*program, "run_agenda_worker", "--autoreload", queues]
            programs.start("worker", worker, environment)
            if not options["no_site"]:
                address = [options["address"]] if options["address"] else []
                programs.start("site", [*program, "runserver", *address], environment)
            code = programs.run()
        if code:
            sys.exit(code)


def _program() -> list[str]:
    """Return how this program was called, up to the name of the command."""
    arguments = sys.orig_argv
    if "agenda_dev" not in arguments:
        raise CommandError("agenda_dev is a program of its own: manage.py agenda_dev")
    return [sys.executable, *arguments[1 : arguments.index("agenda_dev")]]


def _said(environment: dict[str, str]) -> list[str]:
    if PRIVATE_REDIS in environment:
        redis = f"a private Redis at {environment[PRIVATE_REDIS]}, which forgets all at the end"
    else:
        redis = "the Redis of the settings"
    return [f"uses {redis}.", "Ctrl-C ends all, a second one at once."]
