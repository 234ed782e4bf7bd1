"""`manage.py agenda_demo`: a find-and-flood from nothing, and a shop to look at."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from demo.check import problems
from demo.folder import own_folder, passing_folder
from demo.plan import plan_for
from demo.play import play
from demo.screen import Screen
from demo.stage import Stage, open_stage
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_agenda.exceptions import ServerMissing


class Command(BaseCommand):
    """Open the shop with private servers, send a newsletter in two ways, and show both."""

    help = "Show a newsletter flooded and scattered, with private servers; Ctrl-C ends it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sizes, the port, and whether to check instead of to show."""
        parser.add_argument("--seconds", type=int, default=40, help="the window of the scatter")
        parser.add_argument("--mails", type=int, help="how many; the default suits the window")
        parser.add_argument("--port", type=int, help="of the site; the default is a free one")
        parser.add_argument(
            "--check", action="store_true", help="check what the admin shows, then end: 0 or 1"
        )

    def handle(
        self, *, seconds: int, mails: int | None, port: int | None, check: bool, **options: Any
    ) -> None:
        """Run the demonstration."""
        for end in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(end, signal.default_int_handler)
        plan = plan_for(seconds, mails)
        try:
            with _folder(passing=check) as folder, open_stage(plan, folder, port) as stage:
                self._show(stage, check=check)
        except ServerMissing as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            if check:
                raise CommandError("Interrupted.", returncode=130) from None

    def _show(self, stage: Stage, *, check: bool) -> None:
        screen = Screen(self.stdout)
        screen.invite(stage)
        report = play(stage, screen)
        if not check:
            screen.say("\n  Now look at both in the admin; Ctrl-C closes the shop.")
            stage.children.look_after()
        found = list(problems(stage, report))
        if found:
            raise CommandError("\n".join(["The demonstration shows something else:", *found]))
        screen.say("\n  The admin and the provider's own books say the same.")


def _folder(*, passing: bool) -> AbstractContextManager[Path]:
    if passing and "DEMO_DIR" not in os.environ:
        return passing_folder()
    return own_folder(settings.DEMO_DIR)
