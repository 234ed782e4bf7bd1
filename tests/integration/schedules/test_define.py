"""Defining schedules: once each, and nothing that cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.db import connections

from django_agenda import Exponential, UnknownTask
from django_agenda.clock import now
from django_agenda.models import Schedule
from tests import tasks
from tests.naming import named

TEN = timedelta(seconds=10)
SOME_DAY = datetime(2030, 5, 1, 12, tzinfo=UTC)


def test_a_cron_schedule_keeps_what_it_was_given_and_knows_its_next_tick() -> None:
    schedule = Schedule.objects.cron(
        tasks.add,
        "0 9 * * 1-5",
        timezone="Europe/Berlin",
        args=(1,),
        kwargs={"b": 2},
        name="sums",
        description="Adds up.",
        labels=["nightly"],
    )

    fresh = Schedule.objects.get()
    assert fresh == schedule
    assert (fresh.task_name, fresh.args, fresh.kwargs) == ("tests.tasks.add", [1], {"b": 2})
    assert (fresh.kind, fresh.expression, fresh.timezone) == (
        "cron",
        "0 9 * * 1-5",
        "Europe/Berlin",
    )
    assert fresh.enabled
    assert fresh.next_at == fresh.next_times(1)[0]
    assert fresh.next_at.astimezone(ZoneInfo("Europe/Berlin")).hour == 9
    assert fresh.describe() == "at 09:00, Monday to Friday, Europe/Berlin"
    assert str(fresh) == "sums"


def test_an_interval_begins_one_interval_from_now_and_stays_on_its_grid() -> None:
    before = now()
    schedule = Schedule.objects.interval(tasks.nothing, TEN)

    times = schedule.next_times(4)
    assert before + TEN <= times[0] <= now() + TEN
    assert [later - earlier for earlier, later in pairwise(times)] == [TEN] * 3
    assert schedule.describe() == "every 10 seconds"


def test_a_start_is_the_first_point_of_the_grid() -> None:
    schedule = Schedule.objects.interval(tasks.nothing, TEN, starts_at=SOME_DAY)
    assert schedule.next_times(2) == [SOME_DAY, SOME_DAY + TEN]


def test_between_start_and_end_lie_all_ticks() -> None:
    schedule = Schedule.objects.cron(
        tasks.nothing, "@hourly", timezone="UTC", starts_at=SOME_DAY, ends_at=SOME_DAY + TEN * 900
    )
    hours = [SOME_DAY + timedelta(hours=number) for number in range(3)]
    assert schedule.next_times() == hours
    assert schedule.next_times(after=SOME_DAY) == hours[1:]
    assert schedule.describe().endswith("from 2030-05-01 12:00 UTC, until 2030-05-01 14:30 UTC")


def test_as_often_as_it_may_run_so_many_ticks_it_has() -> None:
    schedule = Schedule.objects.interval(tasks.nothing, TEN, max_runs=2)
    assert len(schedule.next_times(10)) == 2


def test_next_times_look_away_from_whether_it_is_enabled() -> None:
    schedule = Schedule.objects.interval(tasks.nothing, TEN, enabled=False)
    assert schedule.next_at is None
    assert len(schedule.next_times(3)) == 3


def test_what_is_to_run_once_has_one_tick() -> None:
    schedule = Schedule.objects.once(tasks.nothing, SOME_DAY)
    assert schedule.next_times() == [SOME_DAY]
    assert schedule.describe() == "once, at 2030-05-01 12:00:00 UTC"


def test_without_a_zone_it_is_the_zone_of_the_project(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    assert Schedule.objects.cron(tasks.nothing, "@daily").timezone == "America/New_York"


@pytest.mark.parametrize("zone", [UTC, "UTC", ZoneInfo("UTC")], ids=named)
def test_a_zone_is_taken_in_every_form(zone: Any) -> None:
    assert Schedule.objects.cron(tasks.nothing, "@daily", timezone=zone).timezone == "UTC"


SAME: list[Callable[[], Schedule]] = [
    lambda: Schedule.objects.interval(tasks.echo, 60, kwargs={"a": 1, "b": {"c": 2, "d": 3}}),
    lambda: Schedule.objects.interval(tasks.echo, 60.0, kwargs={"b": {"d": 3, "c": 2}, "a": 1}),
    lambda: Schedule.objects.interval(
        "tests.tasks.echo", timedelta(minutes=1), kwargs={"a": 1.0, "b": {"c": 2, "d": 3}}
    ),
    lambda: Schedule.objects.interval(
        tasks.echo, 60, kwargs={"a": 1, "b": {"c": 2, "d": 3}}, priority=9, enabled=False
    ),
]


@pytest.mark.parametrize("again", SAME)
def test_the_same_definition_is_the_same_schedule_and_left_unchanged(
    again: Callable[[], Schedule],
) -> None:
    first = SAME[0]()
    second = again()
    assert second == first
    assert (second.priority, second.enabled) == (None, True)
    assert Schedule.objects.count() == 1


def test_another_rule_zone_name_or_argument_is_another_schedule() -> None:
    every = [
        Schedule.objects.cron(tasks.echo, "@daily", timezone="UTC"),
        Schedule.objects.cron(tasks.echo, "@daily", timezone="Europe/Berlin"),
        Schedule.objects.cron(tasks.echo, "@hourly", timezone="UTC"),
        Schedule.objects.cron(tasks.echo, "@daily", timezone="UTC", args=[1]),
        Schedule.objects.cron(tasks.echo, "@daily", timezone="UTC", args=[True]),
        Schedule.objects.cron(tasks.echo, "@daily", timezone="UTC", name="another"),
        Schedule.objects.interval(tasks.echo, TEN),
        Schedule.objects.interval(tasks.nothing, TEN),
        Schedule.objects.once(tasks.echo, SOME_DAY),
    ]
    assert len({one.pk for one in every}) == len(every)


def test_a_nickname_is_the_expression_that_it_stands_for() -> None:
    first = Schedule.objects.cron(tasks.echo, "@daily")
    assert Schedule.objects.cron(tasks.echo, " 0  0 * * * ") == first


def test_of_those_who_define_at_once_each_gets_the_same_schedule() -> None:
    found: list[int] = []
    gate = threading.Barrier(6)

    def define() -> None:
        gate.wait(10)
        found.append(Schedule.objects.interval(tasks.nothing, TEN).pk)
        connections.close_all()

    threads = [threading.Thread(target=define) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 6
    assert len(set(found)) == 1


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Schedule.objects.cron(tasks.nothing, "61 * * * *"), ValueError, "61"),
    (lambda: Schedule.objects.cron(tasks.nothing, ""), ValueError, "no cron expression"),
    (lambda: Schedule.objects.cron(tasks.nothing, None), ValueError, "None"),  # type: ignore[arg-type]
    (lambda: Schedule.objects.cron(tasks.nothing, "@daily", timezone="Mars/X"), ValueError, "Mars"),
    (lambda: Schedule.objects.cron(tasks.nothing, "@daily", timezone=3), ValueError, "3"),
    (lambda: Schedule.objects.interval(tasks.nothing, timedelta(0)), ValueError, "positive"),
    (lambda: Schedule.objects.interval(tasks.nothing, -5), ValueError, "-5"),
    (lambda: Schedule.objects.interval(tasks.nothing, float("nan")), ValueError, "nan"),
    (lambda: Schedule.objects.interval(tasks.nothing, None), TypeError, "None"),  # type: ignore[arg-type]
    (lambda: Schedule.objects.once(tasks.nothing, datetime(2030, 1, 1)), ValueError, "naive"),
    (lambda: Schedule.objects.once(tasks.nothing, "soon"), TypeError, "soon"),  # type: ignore[arg-type]
    (lambda: Schedule.objects.interval("shop.tasks.gone", TEN), UnknownTask, "shop.tasks.gone"),
    (lambda: Schedule.objects.interval("os.system", TEN), UnknownTask, "os.system"),
    (lambda: Schedule.objects.interval(lambda: None, TEN), ValueError, "lambda"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, args=[{1}]), TypeError, "args"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, jitter=-1), ValueError, "jitter"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, over=0), ValueError, "over"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, max_runs=0), ValueError, "max_runs"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, priority=101), ValueError, "101"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, queue_name="A b"), ValueError, "A b"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, overlap="no"), ValueError, "overlap"),  # type: ignore[arg-type]
    (lambda: Schedule.objects.interval(tasks.echo, TEN, misfire="no"), ValueError, "misfire"),  # type: ignore[arg-type]
    (lambda: Schedule.objects.interval(tasks.echo, TEN, backoff=tasks.add), ValueError, "backoff"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, name="a\0"), ValueError, "NUL"),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, enabled=1), TypeError, "enabled"),  # type: ignore[arg-type]
    (
        lambda: Schedule.objects.interval(tasks.echo, TEN, starts_at=datetime(2030, 1, 1)),
        ValueError,
        "starts_at",
    ),
    (
        lambda: Schedule.objects.interval(tasks.echo, TEN, starts_at=SOME_DAY, ends_at=now()),
        ValueError,
        "ends_at",
    ),
    (lambda: Schedule.objects.interval(tasks.echo, TEN, colour="red"), TypeError, "colour"),  # type: ignore[call-arg]
]


@pytest.mark.parametrize(("define", "error", "words"), WRONG)
def test_what_is_wrong_is_named_and_nothing_is_saved(
    define: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words.replace("\\", "")):
        define()
    assert not Schedule.objects.exists()


def test_a_backoff_is_kept_and_comes_back_as_it_was() -> None:
    backoff = Exponential(minimum=1, maximum=8, jitter=0.5)
    schedule = Schedule.objects.interval(tasks.echo, TEN, backoff=backoff, timeout=3)
    schedule.refresh_from_db()
    assert schedule.terms == {
        "timeout": timedelta(seconds=3),
        "backoff": [timedelta(seconds=1), timedelta(seconds=8), 0.5],
    }
    assert (schedule.timeout, schedule.backoff, schedule.over) == (
        timedelta(seconds=3),
        Exponential(timedelta(seconds=1), timedelta(seconds=8), 0.5),
        None,
    )


def test_in_a_coroutine_the_error_says_what_to_do() -> None:
    async def define() -> None:
        Schedule.objects.interval(tasks.echo, TEN)

    with pytest.raises(Exception, match="async context") as caught:
        async_to_sync(define)()
    assert any("sync_to_async" in note for note in caught.value.__notes__)


def test_a_row_that_cannot_be_read_is_described_as_broken() -> None:
    schedule = Schedule.objects.cron(tasks.nothing, "@daily")
    Schedule.objects.update(expression="nonsense")
    schedule.refresh_from_db()
    assert schedule.describe().startswith("broken: 'nonsense' is no cron expression")
