"""`agenda_import`: the tables of others, whose libraries are not installed here."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models

from django_agenda.clock import now
from django_agenda.models import Schedule
from tests.conftest import RedisServer
from tests.tasks import add, nothing

Fill = Callable[..., None]
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
LATER = datetime(2040, 1, 10, 9, 30, tzinfo=UTC)


@pytest.fixture
def fill() -> Iterator[Fill]:
    """Return a function that makes a table with these rows; all are dropped after the test."""
    made: list[str] = []

    def make(table: str, *rows: dict[str, Any]) -> None:
        quote = connection.ops.quote_name
        numbered = [{"id": number} | row for number, row in enumerate(rows, 1)]
        names = list(numbered[0])
        columns = [f"{quote(name)} {_kind(name, numbered)}" for name in names]
        marks = ", ".join(["%s"] * len(names))
        made.append(table)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {quote(table)} ({', '.join(columns)})")
            for row in numbered:
                values = [_adapted(row.get(name)) for name in names]
                cursor.execute(f"INSERT INTO {quote(table)} VALUES ({marks})", values)

    yield make
    with connection.cursor() as cursor:
        for table in made:
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}")


def run(*arguments: str) -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("agenda_import", *arguments, stdout=out)
    except SystemExit as error:
        return out.getvalue(), int(str(error.code))
    return out.getvalue(), 0


def periodic(**more: Any) -> dict[str, Any]:
    return {
        "name": "Nightly",
        "task": nothing.name,
        "args": "[]",
        "kwargs": "{}",
        "queue": None,
        "exchange": None,
        "routing_key": None,
        "headers": "{}",
        "priority": None,
        "expires": None,
        "expire_seconds": None,
        "one_off": False,
        "start_time": None,
        "enabled": True,
        "last_run_at": None,
        "total_run_count": 0,
        "description": "",
        "interval_id": None,
        "crontab_id": None,
        "solar_id": None,
        "clocked_id": None,
        **more,
    }


@pytest.fixture
def beat(fill: Fill) -> Fill:
    """Return a function that makes the tables of django-celery-beat with these periodic tasks."""

    def make(*tasks: dict[str, Any]) -> None:
        fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")
        crontabs = [
            ("0", "9", "*", "*", "mon-fri", "Europe/Berlin"),
            ("0", "9", "13", "*", "5", "UTC"),
            ("0", "9", "*", "*", "*", "Mars/Olympus"),
        ]
        prefix = "django_celery_beat_"
        fill(f"{prefix}crontabschedule", *[dict(zip(fields, one, strict=True)) for one in crontabs])
        fill(f"{prefix}intervalschedule", {"every": 90, "period": "minutes"})
        fill(f"{prefix}clockedschedule", {"clocked_time": LATER})
        fill(f"{prefix}solarschedule", {"event": "sunrise"})
        fill(
            f"{prefix}periodictask",
            *[periodic(name=f"Number {n}") | t for n, t in enumerate(tasks)],
        )

    return make


def test_without_any_table_there_is_nothing_to_carry() -> None:
    assert run() == ("0 to carry (+), 0 there already (=), 0 cannot be carried (!).\n", 0)


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(beat: Fill) -> None:
    beat({"crontab_id": 1})

    said, code = run()

    assert code == 0
    assert "+ celery-beat 1 'Number 0': tests.tasks.nothing, at 09:00" in said
    assert "Europe/Berlin" in said
    assert "Nothing was written: --apply does it." in said
    assert not Schedule.objects.exists()


def test_periodic_tasks_are_carried_with_their_rules_and_options(beat: Fill) -> None:
    beat(
        {"crontab_id": 1, "description": "Words", "queue": "mail", "expires": LATER},
        {
            "interval_id": 1,
            "last_run_at": NOON,
            "enabled": False,
            "task": add.name,
            "args": "[1, 2]",
        },
        {"clocked_id": 1, "one_off": True},
        {
            "interval_id": 1,
            "one_off": True,
            "kwargs": '{"x": [1]}',
            "queue": "Big Queue",
            "priority": 3,
        },
    )

    said, code = run("--apply")

    assert code == 0, said
    nightly, half, once, single = Schedule.objects.order_by("name")
    assert (nightly.expression, nightly.timezone) == ("0 9 * * 1,2,3,4,5", "Europe/Berlin")
    assert (nightly.queue_name, nightly.description, nightly.ends_at) == ("mail", "Words", LATER)
    assert (half.interval, half.enabled, half.args) == (timedelta(minutes=90), False, [1, 2])
    assert (half.next_times(1)[0] - NOON) % timedelta(minutes=90) == timedelta(0)
    assert (once.kind, once.anchor) == ("once", LATER)
    assert (single.max_runs, single.kwargs, single.queue_name) == (1, {"x": [1]}, None)
    assert nightly.overlap == "allow"
    assert "its queue 'Big Queue' cannot be a name here" in said
    assert "not carried: its priority" in said
    assert "Stop the old scheduler" in said


def test_to_repeat_it_changes_nothing(beat: Fill) -> None:
    beat({"crontab_id": 1}, {"interval_id": 1, "last_run_at": NOON})
    run("--apply")

    said, code = run("--apply")

    assert code == 0
    assert "0 carried, 2 there already (=)" in said
    assert Schedule.objects.count() == 2


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({"solar_id": 1}, "it goes by the sun"),
        ({"crontab_id": 2}, "both match"),
        ({"crontab_id": 3}, "There is no time zone 'Mars/Olympus'"),
        ({"crontab_id": 1, "task": "old.tasks.gone"}, "--map old.tasks.gone="),
        ({"crontab_id": 1, "task": "celery.backend_cleanup"}, "belongs to Celery itself"),
        ({"crontab_id": 1, "args": "[1"}, "its args are no JSON: '[1'"),
        ({"crontab_id": 1, "kwargs": "[]"}, "its kwargs are no dict"),
        ({"crontab_id": 1, "task": add.name}, "its arguments do not fit tests.tasks.add"),
        ({"clocked_id": 1, "total_run_count": 1}, "has run"),
        ({}, "it has no rule"),
    ],
)
def test_what_cannot_be_carried_is_told_with_its_reason(
    task: dict[str, Any], why: str, beat: Fill
) -> None:
    beat(task, {"crontab_id": 1})

    said, code = run("--apply")

    assert code == 1
    assert "! celery-beat 1 'Number 0': " in said
    assert why in said
    assert Schedule.objects.count() == 1


def test_a_task_is_found_by_its_new_name(beat: Fill) -> None:
    beat({"crontab_id": 1, "task": "old.tasks.gone"})

    said, code = run("--apply", "--map", f"old.tasks.gone={nothing.name}", "--disabled")

    assert code == 0, said
    schedule = Schedule.objects.get()
    assert (schedule.task_name, schedule.enabled, schedule.next_at) == (nothing.name, False, None)


def test_a_map_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="must be OLD=NEW"):
        call_command("agenda_import", "--map", "old")


def test_a_database_that_there_is_not_is_a_sentence() -> None:
    with pytest.raises(CommandError, match="--database: The connection 'nowhere' doesn't exist"):
        call_command("agenda_import", database="nowhere")


def queued(**more: Any) -> dict[str, Any]:
    return {
        "name": None,
        "func": nothing.name,
        "hook": None,
        "args": None,
        "kwargs": None,
        "schedule_type": "D",
        "minutes": None,
        "repeats": -1,
        "next_run": LATER,
        "cron": None,
        "cluster": None,
        "intended_date_kwarg": None,
        **more,
    }


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"schedule_type": "O"}, ("once", "", None)),
        ({"schedule_type": "I", "minutes": 5}, ("interval", "", timedelta(minutes=5))),
        ({"schedule_type": "H"}, ("interval", "", timedelta(hours=1))),
        ({"schedule_type": "D"}, ("cron", "30 9 * * *", None)),
        ({"schedule_type": "W"}, ("cron", "30 9 * * 2", None)),
        ({"schedule_type": "BW"}, ("interval", "", timedelta(days=14))),
        ({"schedule_type": "M"}, ("cron", "30 9 10 * *", None)),
        ({"schedule_type": "BM"}, ("cron", "30 9 10 1,3,5,7,9,11 *", None)),
        ({"schedule_type": "Q"}, ("cron", "30 9 10 1,4,7,10 *", None)),
        ({"schedule_type": "Y"}, ("cron", "30 9 10 1 *", None)),
        ({"schedule_type": "C", "cron": "0 4 * * 1"}, ("cron", "0 4 * * 1", None)),
    ],
)
def test_each_type_of_django_q_has_its_rule(row: dict[str, Any], rule: Any, fill: Fill) -> None:
    fill("django_q_schedule", queued(**row))

    said, code = run("--apply", "--from", "django-q")

    assert code == 0, said
    schedule = Schedule.objects.get()
    assert (schedule.kind, schedule.expression, schedule.interval) == rule
    if row["schedule_type"] != "C":
        assert schedule.next_at == LATER


@pytest.mark.parametrize(
    ("given", "args", "kwargs"),
    [
        ({"args": "1, 2"}, [1, 2], {}),
        ({"args": "'x'"}, ["x"], {}),
        ({"args": "(1,)"}, [1], {}),
        ({"kwargs": "x=1, y='a'"}, [], {"x": 1, "y": "a"}),
        ({"kwargs": "{'x': [1]}"}, [], {"x": [1]}),
        ({"kwargs": "x=1, q_options={'timeout': 5}"}, [], {"x": 1}),
    ],
)
def test_arguments_of_django_q_are_read_as_literals(
    given: dict[str, str], args: Any, kwargs: Any, fill: Fill
) -> None:
    fill("django_q_schedule", queued(**given))

    run("--apply")

    schedule = Schedule.objects.get()
    assert (schedule.args, schedule.kwargs) == (args, kwargs)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"repeats": 0}, "as often as it was to"),
        ({"args": "__import__('os')"}, "its args are no literals"),
        ({"kwargs": "x=open('y')"}, "its kwargs are no literals"),
        ({"kwargs": "1, 2"}, "its kwargs are not understood"),
        ({"schedule_type": "M", "next_run": LATER.replace(day=31)}, "day 31 of a month"),
        ({"schedule_type": "C", "cron": "nonsense"}, "is no cron expression"),
        ({"schedule_type": "O", "next_run": None}, "it has no next run"),
        ({"schedule_type": "X"}, "its type 'X'"),
    ],
)
def test_what_django_q_cannot_give_is_told(row: dict[str, Any], why: str, fill: Fill) -> None:
    fill("django_q_schedule", queued(**row), queued())

    said, code = run()

    assert code == 1
    assert why in said


def rq(**more: Any) -> dict[str, Any]:
    return {
        "name": "Nightly",
        "callable": nothing.name,
        "enabled": True,
        "queue": "default",
        "at_front": False,
        "timeout": 30,
        "repeat": None,
        "scheduled_time": LATER,
        "interval": 5,
        "interval_unit": "hours",
        "cron_string": "0 4 * * *",
        **more,
    }


def test_the_tables_of_rq_are_read_under_their_old_and_new_names(fill: Fill) -> None:
    number = content_type("crontask")
    fill("scheduler_crontask", rq(name="a"))
    fill("scheduler_repeatablejob", rq(name="b", repeat=3))
    fill("scheduler_task", rq(name="c", task_type="OnceTaskType", at_front=True))
    at = {"content_type_id": number, "object_id": 1}
    fill("scheduler_taskarg", {"arg_type": "int", "val": "5", **at})
    fill("scheduler_taskkwarg", {"arg_type": "json", "val": "[1]", "key": "x", **at})

    said, code = run("--apply")

    assert code == 0, said
    cron, interval, once = Schedule.objects.order_by("name")
    assert (cron.expression, cron.timezone, cron.terms["timeout"]) == (
        ("0 4 * * *", "UTC", timedelta(seconds=30))
    )
    assert (cron.args, cron.kwargs) == ([5], {"x": [1]})
    assert (interval.interval, interval.max_runs, interval.next_at) == (
        (timedelta(hours=5), 4, LATER)
    )
    assert (once.kind, once.anchor) == ("once", LATER)
    assert "not carried: at_front" in said


def test_what_of_rq_is_over_or_called_at_each_run_is_told(fill: Fill) -> None:
    number = content_type("repeatabletask")
    passed = now() - timedelta(hours=12)
    fill(
        "scheduler_repeatabletask",
        rq(name="a"),
        rq(name="b", repeat=2, scheduled_time=passed),
        rq(name="c", repeat=3, scheduled_time=passed),
        rq(name="d", interval_unit="years"),
    )
    fill("scheduler_scheduledtask", rq(name="e", scheduled_time=passed))
    at = {"content_type_id": number, "object_id": 1}
    fill("scheduler_taskarg", {"arg_type": "callable", "val": "os.getpid", **at})

    said, code = run("--apply")

    assert code == 1
    assert "an argument is a callable, 'os.getpid'" in said
    assert said.count("it has run as often as it was to") == 1
    assert "its interval is none: 5 years" in said
    assert "its moment has passed" in said
    assert Schedule.objects.get().max_runs == 1


def test_what_rq_scheduler_keeps_in_redis_is_listed(redis_server: RedisServer) -> None:
    client = redis_server.client
    client.zadd("rq:scheduler:scheduled_jobs", {"job-1": LATER.timestamp()})
    client.hset(
        "rq:job:job-1", mapping={"origin": "low", "description": "shop.f(1)", "data": b"\x80"}
    )
    try:
        said, code = run("--rq-redis", redis_server.url)
    finally:
        client.delete("rq:scheduler:scheduled_jobs", "rq:job:job-1")

    assert code == 1
    assert "! rq-scheduler job job-1 in 'low': its call and its rule are pickled" in said
    assert "'shop.f(1)', and is due at 2040-01-10 09:30:00+00:00" in said


@pytest.mark.parametrize("url", ["nonsense", "unix:///nowhere/redis.sock"])
def test_a_redis_that_is_none_is_a_sentence(url: str) -> None:
    with pytest.raises(CommandError, match="--rq-redis: "):
        call_command("agenda_import", "--rq-redis", url)


def content_type(model: str) -> int:
    from django.contrib.contenttypes.models import ContentType

    return ContentType.objects.get_or_create(app_label="scheduler", model=model)[0].pk


def _kind(name: str, rows: list[dict[str, Any]]) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    field: models.Field[Any, Any] = models.TextField()
    if name == "id" or name.endswith("_id"):
        field = models.IntegerField()
    elif name in ("expires", "start_time", "last_run_at", "next_run", "scheduled_time"):
        field = models.DateTimeField()
    elif values and isinstance(values[0], bool):
        field = models.BooleanField()
    elif values and isinstance(values[0], int):
        field = models.IntegerField()
    elif values and isinstance(values[0], datetime):
        field = models.DateTimeField()
    return f"{field.db_type(connection)} NULL"


def _adapted(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
