"""Everything that a demonstration needs, from nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.urls import reverse

from django_agenda.embedded import EmbeddedRedis

from .plan import Plan
from .processes import Children
from .visitor import Visitor

USER = PASSWORD = "admin"
WORKERS = 2
START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Hold a shop that is open: its address, somebody who is logged in, and its mail."""

    url: str
    plan: Plan
    visitor: Visitor
    children: Children
    mail: Path

    def mails_delivered(self) -> int:
        """Return how many mails the provider has taken, by its own books."""
        return sum(1 for _ in self.mail.glob("*.eml"))


@contextmanager
def open_stage(plan: Plan, folder: Path, port: int | None) -> Iterator[Stage]:
    """Start Redis, the mail provider, the site and the workers, and end them all in the end.

    They keep what they have in `folder`. The site takes a free port when `port` is None.
    """
    with EmbeddedRedis() as redis:
        environment = {"DEMO_DIR": str(folder), "REDIS_URL": redis.url, **plan.environment}
        with Children(folder / "log", environment) as children:
            _open_shop(children)
            url = _start_site_and_workers(children, port)
            visitor = _enter(children, url)
            mail = folder / "mail"
            yield Stage(url=url, plan=plan, visitor=visitor, children=children, mail=mail)


def _open_shop(children: Children) -> None:
    children.start("mailserver", "mailserver", "--port", "0")
    children.start("open_shop", "open_shop", "--user", USER, "--password", PASSWORD)
    children.finish("open_shop", START_TIMEOUT_S)
    children.environment["MAIL_PORT"] = _wait_for(
        children, "mailserver", r"Listening on .*:(\d+)\n"
    )


def _start_site_and_workers(children: Children, port: int | None) -> str:
    # With 0 the system gives it a port that nobody takes in between.
    children.start("site", "runserver", "--noreload", f"127.0.0.1:{port or 0}")
    for number in range(1, WORKERS + 1):
        name = f"worker-{number}"
        children.start(name, "run_agenda_worker", "--worker-id", name)
    return _wait_for(children, "site", r"(http://\S+?)/\s")


def _enter(children: Children, url: str) -> Visitor:
    visitor = Visitor(url)
    children.wait_for(visitor.is_welcome, START_TIMEOUT_S, what="answer of the site")
    visitor.log_in(USER, PASSWORD)
    children.wait_for(
        lambda: visitor.get_json(reverse("progress"))["workers"] == WORKERS,
        START_TIMEOUT_S,
        what="second worker",
    )
    return visitor


def _wait_for(children: Children, name: str, words: str) -> str:
    """Return what a child says between the brackets of `words`."""
    said = children.wait_for(
        lambda: re.search(words, children.said(name)), START_TIMEOUT_S, what=f"word of the {name}"
    )
    assert said is not None
    return said[1]
