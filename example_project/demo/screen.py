"""What the demonstration says in the terminal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import OutputWrapper
from django.urls import reverse
from shop.newsletter import Way

from .stage import PASSWORD, USER, Stage

HEAD = """
  The shop       {url}/
  Its batches    {url}{batches}
  Log in as      {user} / {password}

  {mails} mails, {bad} of them to addresses that are gone. The provider takes {limit} a second:
  first all mails at once, then the same mails scattered over {seconds} seconds.

               sent             delivered   refused: too fast   no such mailbox
"""


class Screen:
    """Write to a terminal, where a line of progress is rewritten, or to a plain file."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out

    def say(self, text: str) -> None:
        """Write one line."""
        self._out.write(text)
        self._out.flush()

    def invite(self, stage: Stage) -> None:
        """Say where the shop is, and what is about to happen."""
        self.say(
            HEAD.rstrip("\n").format(
                url=stage.url,
                batches=reverse("admin:django_agenda_batch_changelist"),
                user=USER,
                password=PASSWORD,
                mails=stage.plan.mails,
                bad=stage.plan.bad_addresses,
                limit=stage.plan.limit,
                seconds=stage.plan.seconds,
            )
        )

    def show_progress(self, way: Way, result: dict[str, Any]) -> None:
        """Write how far a newsletter is, over the line before; in a file, only how it ended."""
        ended = result["delivered"] + result["too_fast"] + result["failed_otherwise"]
        line = (
            f"  {way:<10} {ended:>5} of {result['total']:<5} {result['delivered']:>12}"
            f" {result['too_fast']:>19} {result['failed_otherwise']:>17}"
        )
        if result["finished"]:
            self.say(f"\r{line}" if self._out.isatty() else line)
        elif self._out.isatty():
            self._out.write(f"\r{line}", ending="")
            self._out.flush()
