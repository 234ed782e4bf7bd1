"""What is declared in code becomes schedules when a worker starts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from django_agenda import cron, every, task
from django_agenda.models import Schedule
from django_agenda.scheduling.declare import declare
from django_agenda.signals import schedule_refused
from django_agenda.tasks import recurring
from django_agenda.tasks.task import Task
from tests import tasks
from tests.integration.conftest import Configure, Work
from tests.spoiling import spoil

HOUR = timedelta(hours=1)


def swept() -> None:
    """Stand at the top of this module, as a declared task must."""


def counted() -> None:
    """Stand beside it."""


@pytest.fixture(autouse=True)
def _nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurring, "_declared", [])


def start() -> int:
    return declare("default", is_start=True)


def forget() -> None:
    recurring._declared.clear()


def test_a_worker_registers_what_is_declared(work: Work) -> None:
    every(HOUR, name="sweeper")(swept)
    cron("0 9 * * 1-5", timezone="Europe/Berlin")(tasks.nothing)
    assert work() == 0
    found = {one.task_name: one for one in Schedule.objects.all()}
    assert set(found) == {"tests.integration.schedules.test_declare.swept", "tests.tasks.nothing"}
    assert all(one.is_declared and one.next_at for one in found.values())


def test_the_decorated_function_is_a_task_that_can_be_called() -> None:
    decorated = every(HOUR)(swept)
    assert isinstance(decorated, Task)
    assert decorated() is None
    assert every(60)(decorated) is decorated
    assert len(recurring.declared()) == 2


def test_starting_again_changes_nothing() -> None:
    every(HOUR)(swept)
    assert start() == 1
    before = Schedule.objects.values().get()
    assert start() == 0
    assert Schedule.objects.values().get() == before


def test_options_follow_the_code_and_enabled_stays_as_people_left_it() -> None:
    every(HOUR)(swept)
    start()
    Schedule.objects.all().disable()
    forget()
    every(HOUR, queue_name="mail", description="Sweeps.", enabled=True)(swept)
    assert start() == 1
    schedule = Schedule.objects.get()
    assert (schedule.queue_name, schedule.description) == ("mail", "Sweeps.")
    assert not schedule.enabled


@pytest.mark.parametrize("column", Schedule.PAYLOAD)
def test_what_cannot_be_decoded_is_written_anew(column: str) -> None:
    every(HOUR)(swept)
    start()
    spoil(Schedule.objects.get(), column)
    assert start() == 1
    schedule = Schedule.objects.get()
    assert (schedule.args, schedule.kwargs, schedule.terms) == ([], {}, None)


def test_what_is_no_longer_declared_is_disabled_and_comes_back() -> None:
    every(HOUR)(swept)
    cron("@daily")(counted)
    start()
    forget()
    every(HOUR)(swept)
    assert start() == 1
    gone = Schedule.objects.get(kind="cron")
    assert (gone.enabled, gone.disabled_by) == (False, "no longer declared")

    cron("@daily")(counted)
    # A worker of the new release, which looks again while the old one still starts workers.
    assert declare("default", is_start=False) == 1
    gone.refresh_from_db()
    assert (gone.enabled, gone.disabled_by) == (True, "")
    assert gone.next_at is not None


def test_what_people_made_is_left_alone() -> None:
    made = Schedule.objects.interval(tasks.nothing, HOUR)
    start()
    made.refresh_from_db()
    assert made.enabled


def test_what_another_service_declares_is_left_alone() -> None:
    every(HOUR)(swept)
    start()
    Schedule.objects.update(task_name="billing.tasks.invoice")
    forget()
    assert start() == 0
    assert Schedule.objects.get().enabled


def test_a_bad_rule_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="61"):
        cron("61 * * * *")
    with pytest.raises(ValueError, match="positive"):
        every(timedelta(0))
    with pytest.raises(ValueError, match="Mars"):
        cron("@daily", timezone="Mars/Base")
    with pytest.raises(TypeError, match="colour"):
        every(HOUR, colour="red")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="101"):
        every(HOUR, priority=101)
    with pytest.raises(ValueError, match="over"):
        every(HOUR, over=-1)
    with pytest.raises(TypeError, match="args"):
        every(HOUR, args=[{1}])
    with pytest.raises(ValueError, match="'max_runs' must be at least 1, not 0"):
        every(HOUR, max_runs=0)
    with pytest.raises(TypeError, match="'catch_up' must be a whole number, not 'all'"):
        every(HOUR, catch_up="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'overlap' must be one of .* not 'never'"):
        every(HOUR, overlap="never")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'starts_at' must be an aware datetime"):
        cron("@daily", starts_at=datetime(2030, 1, 1))
    with pytest.raises(TypeError, match="'enabled' must be True or False, not 'yes'"):
        every(HOUR, enabled="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'name' must have at most 255"):
        every(HOUR, name="x" * 256)
    with pytest.raises(ValueError, match="not defined at the top"):
        every(HOUR)(_inner())


def _inner() -> Any:
    def inside() -> None: ...

    return inside


def test_a_declaration_that_makes_no_schedule_stops_no_worker(
    work: Work, configure: Configure
) -> None:
    refused: list[str] = []

    def hear(*, task_name: str, **_: object) -> None:
        refused.append(task_name)

    schedule_refused.connect(hear)
    # Settings may be tighter where the worker runs.
    configure(MAX_PAYLOAD_BYTES=10)
    every(HOUR, args=["much" * 9])(swept)
    every(HOUR)(counted)
    assert work() == 0
    schedule_refused.disconnect(hear)
    assert refused == ["tests.integration.schedules.test_declare.swept"]
    assert Schedule.objects.count() == 1


def test_the_decorator_of_a_task_may_stand_above_it() -> None:
    decorated = every(HOUR)(task(queue_name="mail")(swept))
    assert decorated.queue_name == "mail"
