"""Show schedules, and enable, disable or run them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from django_agenda.management.database import in_a_sentence
from django_agenda.management.given import several
from django_agenda.management.schedule_text import schedule_lines
from django_agenda.models import Schedule
from django_agenda.models.schedule_set import ScheduleQuerySet


class Command(BaseCommand):
    help = "Shows all schedules, or those that are named; enables, disables or runs those named."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("action", nargs="?", default="list", choices=("list", "enable", "disable", "run"))
        add("which", nargs="*", metavar="ID|NAME", help="the number of a schedule, or a name")
        add("--label", action="append", default=[], help="those that carry it; may be repeated")
        add("--all", action="store_true", help="enable, disable or run all that there are")

    def handle(self, **options: Any) -> None:
        action = options["action"]
        is_choice = options["which"] or options["label"] or options["all"]
        if action != "list" and not is_choice:
            raise CommandError(f"Say which schedules to {action}: ids, names, --label or --all.")
        using = router.db_for_write(Schedule)
        with in_a_sentence(using):
            found = _chosen(Schedule.objects.using(using), options["which"])
            found = _labelled(found, several(options["label"]))
            self.stdout.write("\n".join(self._lines(action, found)))

    def _lines(self, action: str, found: ScheduleQuerySet) -> list[str]:
        if action == "list":
            return schedule_lines(list(found.defer(*Schedule.PAYLOAD)))
        if action == "run":
            return [f"{one}: execution {one.run_now().pk}" for one in found]
        changed = found.enable() if action == "enable" else found.disable()
        return [f"{changed} {action}d"]


def _chosen(schedules: ScheduleQuerySet, which: list[str]) -> ScheduleQuerySet:
    if not which:
        return schedules.all()
    keys: set[int] = set()
    for one in which:
        # A name may look like a number.
        found = _keys(schedules.filter(pk=int(one))) if one.isdecimal() else set()
        found = found or _keys(schedules.filter(name=one))
        if not found:
            raise CommandError(f"There is no schedule {one!r}.")
        keys |= found
    return schedules.filter(pk__in=keys)


def _keys(schedules: ScheduleQuerySet) -> set[int]:
    return set(schedules.values_list("pk", flat=True))


def _labelled(schedules: ScheduleQuerySet, labels: list[str]) -> ScheduleQuerySet:
    try:
        found = schedules.labelled(*labels)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if labels and not found.exists():
        raise CommandError(f"There is no such schedule with the labels {', '.join(labels)}.")
    return found
