"""`manage.py agenda_schedules`."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from tests import tasks
from tests.integration.conftest import Work

from .conftest import make_due

HOUR = timedelta(hours=1)


def said(*arguments: str, **options: object) -> str:
    out = StringIO()
    call_command("agenda_schedules", *arguments, stdout=out, **options)
    return out.getvalue()


def test_without_schedules_it_says_so() -> None:
    assert said() == "There are no schedules.\n"


def test_it_lists_rules_in_words_next_ticks_and_states(work: Work) -> None:
    Schedule.objects.cron(tasks.nothing, "0 9 * * 1-5", timezone="UTC", name="a")
    Schedule.objects.interval(tasks.nothing, HOUR, name="b", enabled=False)
    once = Schedule.objects.once(tasks.nothing, now() - HOUR, name="c")
    gone = Schedule.objects.interval(tasks.plain, HOUR, name="d")
    Schedule.objects.filter(pk=gone.pk).update(task_name="shop.tasks.gone")
    bad = Schedule.objects.cron(tasks.plain, "@daily", name="e")
    make_due(bad)
    Schedule.objects.filter(pk=bad.pk).update(expression="nonsense")
    assert work() == 0

    head, *rows = said().splitlines()
    assert head.split() == ["id", "name", "task", "rule", "next", "run", "last", "tick", "state"]
    assert [row.split()[1] for row in rows] == ["a", "b", "c", "d", "e"]
    assert "at 09:00, Monday to Friday, UTC" in rows[0]
    assert rows[0].endswith("enabled")
    assert "every hour" in rows[1]
    assert rows[1].endswith("disabled")
    assert rows[2].endswith("ended")
    assert rows[3].endswith("broken: Task 'shop.tasks.gone' is not registered")
    assert "broken: 'nonsense' is no cron expression" in rows[4]
    assert str(once.pk) == rows[2].split()[0]


def test_it_enables_disables_and_runs_those_that_are_named_or_labelled() -> None:
    first = Schedule.objects.interval(tasks.nothing, HOUR, name="a", labels=["x"])
    Schedule.objects.interval(tasks.plain, HOUR, name="b")
    assert said("disable", "a") == "1 disabled\n"
    assert said("enable", str(first.pk), "b") == "1 enabled\n"
    assert said("disable", label=["x"]) == "1 disabled\n"
    assert said("enable", label="x") == "1 enabled\n"
    assert said("disable", label="x") == "1 disabled\n"
    assert said("disable", all=True) == "1 disabled\n"
    assert said("run", "a").startswith("a: execution ")
    Execution.objects.get().cancel()


def test_it_wants_to_know_which_and_names_what_is_not_there() -> None:
    with pytest.raises(CommandError, match="Say which schedules to disable"):
        said("disable")
    with pytest.raises(CommandError, match="There is no schedule 'zzz'"):
        said("run", "zzz")
    with pytest.raises(CommandError, match="There is no schedule '77'"):
        said("run", "77")
    with pytest.raises(CommandError, match="no such schedule with the labels nightly"):
        said("run", label=["nightly"])
    with pytest.raises(CommandError, match="No label holds a NUL"):
        said("list", label=["\0"])


def test_a_name_may_look_like_a_number() -> None:
    Schedule.objects.interval(tasks.nothing, HOUR, name="2030")

    assert said("disable", "2030") == "1 disabled\n"
