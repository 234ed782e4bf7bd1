"""Carry the schedules of other libraries over."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from django_agenda.exceptions import BrokerUnavailable
from django_agenda.management.database import in_a_sentence
from django_agenda.management.foreign.carry import CARRIED, LEFT, THERE, Carried, carry
from django_agenda.management.foreign.celery_beat import read_celery_beat
from django_agenda.management.foreign.django_q import read_django_q
from django_agenda.management.foreign.found import Found, Left
from django_agenda.management.foreign.rq_scheduler import read_rq_redis, read_rq_scheduler
from django_agenda.models import Schedule

_READERS = {
    "celery-beat": read_celery_beat,
    "django-q": read_django_q,
    "rq-scheduler": read_rq_scheduler,
}
_SIGNS = {CARRIED: "+", THERE: "=", LEFT: "!"}


class Command(BaseCommand):
    help = "Shows which schedules of other libraries can be carried over; with --apply, does it."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--from", dest="sources", action="append", choices=list(_READERS), help="only this one")
        add("--map", action="append", default=[], type=pair, metavar="OLD=NEW", help="a new name")
        add("--apply", action="store_true", help="write; otherwise only say what would be written")
        add("--disabled", action="store_true", help="write them disabled")
        add("--rq-redis", metavar="URL", help="list what rq-scheduler keeps in this Redis as well")
        add("--database", default="default", help="the database that has their tables")

    def handle(self, **options: Any) -> None:
        using = router.db_for_write(Schedule)
        given: list[str | tuple[str, str]] = options["map"]
        names = dict(pair(one) if isinstance(one, str) else one for one in given)
        more = {"applies": options["apply"], "disabled": options["disabled"]}
        with in_a_sentence(using), transaction.atomic(using):
            connection = _connection(options["database"])
            found = [
                one
                for source in options["sources"] or _READERS
                for one in _READERS[source](connection)
            ]
            found += _in_redis(options["rq_redis"])
            told = list(carry(using, found, names, **more))
        for one in told:
            self._tell(one)
        self._sum_up(told, applies=options["apply"])

    def _tell(self, one: Carried) -> None:
        self.stdout.write(f"{_SIGNS[one.fate]} {one.title}: {one.words}")
        for note in one.notes:
            self.stdout.write(f"    {note}")

    def _sum_up(self, told: list[Carried], *, applies: bool) -> None:
        counts = Counter(one.fate for one in told)
        carried = "carried" if applies else "to carry (+)"
        self.stdout.write(
            f"{counts[CARRIED]} {carried}, {counts[THERE]} there already (=),"
            f" {counts[LEFT]} cannot be carried (!)."
        )
        if not applies and counts[CARRIED]:
            self.stdout.write("Nothing was written: --apply does it.")
        elif counts[CARRIED]:
            self.stdout.write("Stop the old scheduler, or both will run them.")
        if counts[LEFT]:
            sys.exit(1)


def _connection(name: str) -> BaseDatabaseWrapper:
    try:
        return connections[name]
    except ConnectionDoesNotExist as error:
        raise CommandError(f"--database: {error}") from error


def _in_redis(url: str | None) -> list[Found | Left]:
    try:
        return [] if url is None else list(read_rq_redis(url))
    except (ValueError, BrokerUnavailable) as error:
        raise CommandError(f"--rq-redis: {error}") from error


def pair(text: str) -> tuple[str, str]:
    """Read an old and a new name."""
    old, _, new = text.partition("=")
    if not old or not new:
        raise ArgumentTypeError(f"must be OLD=NEW, not {text!r}")
    return old, new
