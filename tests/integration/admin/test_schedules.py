"""The pages of schedules: rules in words, what comes next, what broke, and what can be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from tests import tasks
from tests.factories import ScheduleFactory
from tests.integration.admin.actions.acting import (
    action_url,
    asked,
    done,
    list_url,
    log_of,
    message,
    page_url,
)
from tests.integration.admin.actions.test_lists import chosen
from tests.integration.admin.test_queries import statements
from tests.spoiling import spoil

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def run_of(schedule: Schedule, status: str, **fields: object) -> Execution:
    ended = now() if status in ("succeeded", "failed") else None
    given = {"task_name": schedule.task_name, "tick_at": now() - HOUR, "due_at": now() - HOUR}
    return Execution.objects.create(
        **given | fields, schedule=schedule, status=status, finished_at=ended
    )


def test_without_schedules_the_list_says_how_to_make_one(admin_client: Client) -> None:
    assert "Nothing runs again and again yet" in text_of(admin_client, list_url(Schedule))


def test_the_list_tells_rules_in_words_next_runs_and_last_runs(admin_client: Client) -> None:
    schedule = Schedule.objects.cron(
        tasks.nothing, "0 9 * * 1-5", timezone="Europe/Berlin", name="Report", labels=["nightly"]
    )
    run_of(schedule, "succeeded", tick_at=now() - 2 * HOUR)
    failed = run_of(schedule, "failed")

    page = text_of(admin_client, list_url(Schedule))

    assert "at 09:00, Monday to Friday, Europe/Berlin" in page
    assert "<code>0 9 * * 1-5</code>" in page
    assert page.count("<time ") >= 4
    for tick in schedule.next_times(3):
        assert tick.isoformat(timespec="milliseconds") in page
    assert page_url(failed) in page
    assert "nightly" in page


def test_what_is_broken_is_shown_in_its_row_and_the_list_does_not_fail(
    admin_client: Client,
) -> None:
    bad = Schedule.objects.cron(tasks.nothing, "@daily")
    Schedule.objects.filter(pk=bad.pk).update(expression="nonsense")
    ScheduleFactory.create(task_name="shop.tasks.gone")
    ScheduleFactory.create(kind="interval", interval=None)

    page = text_of(admin_client, list_url(Schedule))

    assert "&#x27;nonsense&#x27; is no cron expression" in page
    assert "Task &#x27;shop.tasks.gone&#x27; is not registered" in page
    for schedule in Schedule.objects.all():
        assert "broken" in text_of(admin_client, page_url(schedule))


def test_the_page_previews_ten_runs_and_says_where_clocks_are_changed(
    admin_client: Client,
) -> None:
    schedule = Schedule.objects.cron(
        tasks.nothing,
        "30 2 * * *",
        timezone="Europe/Berlin",
        starts_at=datetime(2027, 3, 25, tzinfo=UTC),
    )
    page = text_of(admin_client, page_url(schedule))
    assert page.count("<tr><th scope") == 10 + 1
    assert "Sat 27 Mar 2027, 02:30:00" in page
    assert "Sun 28 Mar 2027, 03:00:00" in page
    assert "clocks go forward 1 h" in page


def test_the_page_of_a_disabled_schedule_says_what_would_be(admin_client: Client) -> None:
    schedule = ScheduleFactory.create(enabled=False, next_at=None)
    page = text_of(admin_client, page_url(schedule))
    assert "It is not enabled: these would be its runs." in page
    assert "/do/enable/" in page
    assert "/do/disable/" not in page


def test_arguments_are_for_those_who_may_see_payloads_and_secrets_for_nobody(
    client_for: object, admin_client: Client
) -> None:
    schedule = Schedule.objects.interval(
        tasks.echo, HOUR, args=["plainly"], kwargs={"token": "s3cr3t-token"}
    )
    page = text_of(admin_client, page_url(schedule))
    assert "plainly" in page
    assert "s3cr3t-token" not in page
    other = client_for("view_schedule", "view_execution")  # type: ignore[operator]
    assert "plainly" not in text_of(other, page_url(schedule))


def test_disable_enable_and_skip_ask_first_and_are_written_down(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    assert "Disable 1 schedule" in asked(admin_client, schedule, "disable")
    schedule.refresh_from_db()
    assert schedule.enabled

    assert done(admin_client, schedule, "disable", reason="noise") == "Disabled 1 schedule."
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.next_at) == (False, None)
    assert done(admin_client, schedule, "enable") == "Enabled 1 schedule."
    schedule.refresh_from_db()
    before = schedule.next_at
    assert before is not None
    said = done(admin_client, schedule, "skip-next")
    assert said == "Skipped the next run of 1 schedule."
    schedule.refresh_from_db()
    assert schedule.next_at == before + HOUR
    assert log_of(schedule) == [
        "Disabled 1 schedule. Reason: noise",
        "Enabled 1 schedule.",
        "Skipped the next run of 1 schedule.",
    ]


def test_run_now_makes_one_run(admin_client: Client) -> None:
    schedule = ScheduleFactory.create(enabled=False, next_at=None)
    assert done(admin_client, schedule, "run") == "1 schedule runs now."
    run = schedule.executions.get()
    assert (run.tick_at, run.status) == (None, "scheduled")
    assert "run now" in text_of(admin_client, page_url(schedule))


def test_many_are_disabled_from_the_list_and_what_is_so_already_is_told(
    admin_client: Client,
) -> None:
    rows = [ScheduleFactory.create(), ScheduleFactory.create(enabled=False, next_at=None)]
    assert "Disable 1 schedule" in chosen(admin_client, rows, "disable").content.decode()
    chosen(admin_client, rows, "disable", confirmed="yes")
    assert not Schedule.objects.filter(enabled=True).exists()
    assert [len(log_of(row)) for row in rows] == [1, 0]


def test_what_has_ended_is_not_enabled_and_that_is_told(admin_client: Client) -> None:
    schedule = Schedule.objects.once(tasks.nothing, now() + HOUR)
    schedule.skip_next()
    Schedule.objects.update(ends_at=now() - HOUR)
    assert done(admin_client, schedule, "enable").startswith("Nothing was changed")


def test_the_list_asks_the_same_for_few_and_many(admin_client: Client) -> None:
    def make(count: int) -> None:
        for schedule in ScheduleFactory.create_batch(count):
            run_of(schedule, "succeeded")

    make(3)
    first = statements(admin_client, list_url(Schedule))
    make(40)
    assert len(statements(admin_client, list_url(Schedule))) == len(first) <= 8


def test_the_list_draws_the_last_ticks_and_says_how_late_they_were(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    for number in range(70):
        tick = now() - HOUR * (70 - number)
        status = "failed" if number in (3, 69) else "succeeded"
        run_of(schedule, status, tick_at=tick, due_at=tick, lag_ms=number * 100, run_ms=5)

    page = text_of(admin_client, list_url(Schedule))

    assert 'aria-label="Last runs: 59 succeeded, 1 failed"' in page
    assert 'viewBox="0 0 60 ' in page
    assert "max 6.9 s" in page
    assert "style=" not in page.partition("Last runs:")[2].partition("</svg>")[0]


def test_a_run_by_hand_is_the_last_one_only_until_the_next_tick(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    by_hand = run_of(schedule, "succeeded", tick_at=None, due_at=now() - 2 * HOUR)
    run_of(schedule, "succeeded", tick_at=now() - 3 * HOUR, due_at=now() - 3 * HOUR)
    assert page_url(by_hand) in text_of(admin_client, list_url(Schedule))

    tick = run_of(schedule, "failed")

    page = text_of(admin_client, list_url(Schedule))
    assert page_url(tick) in page
    assert page_url(by_hand) not in page
    runs = text_of(admin_client, page_url(schedule)).partition("Last runs")[2]
    assert runs.index(page_url(tick)) < runs.index(page_url(by_hand))


def test_a_schedule_is_duplicated_with_what_it_is_called_with(admin_client: Client) -> None:
    first = Schedule.objects.interval(
        tasks.nothing, HOUR, args=["s3cr3t"], name="Report", backoff=7, labels=["nightly"]
    )
    ticked = {"action": "duplicate", "_selected_action": [first.pk]}
    response = admin_client.post(list_url(Schedule), ticked)
    address = response["Location"]
    assert address.endswith(f"add/?like={first.pk}")
    assert address in text_of(admin_client, page_url(first))

    form = admin_client.get(address)
    assert "s3cr3t" not in form.content.decode()
    given = {key: value for key, value in form.context["form"].initial.items() if value is not None}
    assert given["name"] == "Report, another"
    saved = admin_client.post(address, {**given, "save": "1"})

    second = Schedule.objects.exclude(pk=first.pk).get()
    assert saved["Location"] == page_url(second)
    assert (second.args, second.interval, second.labels) == (["s3cr3t"], HOUR, ["nightly"])
    assert second.terms == first.terms


@pytest.mark.parametrize("many", [2, 3])
def test_only_one_schedule_can_be_duplicated_at_once(admin_client: Client, many: int) -> None:
    ScheduleFactory.create_batch(3)
    keys = list(Schedule.objects.values_list("pk", flat=True)[:many])
    ticked = {"action": "duplicate", "_selected_action": keys}

    assert admin_client.post(list_url(Schedule), ticked)["Location"].endswith("/schedule/")


@pytest.mark.parametrize(("key", "status"), [("999999", 302), ("nonsense", 302), ("\0", 302)])
def test_what_is_not_there_cannot_be_duplicated(
    admin_client: Client, key: str, status: int
) -> None:
    address = list_url(Schedule) + "add/"

    assert admin_client.get(address, {"like": key}).status_code == status


def test_missed_runs_and_priority_are_told(admin_client: Client) -> None:
    ScheduleFactory.create(misfire="skip", priority=7)

    page = text_of(admin_client, list_url(Schedule))

    assert f"Missed runs: {Schedule.Misfire.SKIP.label}" in page
    assert "Priority: 7" in page


def test_a_schedule_is_deleted_and_its_runs_stay(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    run = run_of(schedule, "succeeded")
    waiting = run_of(schedule, "scheduled", tick_at=now() + HOUR)
    assert "cannot be taken back" in asked(admin_client, schedule, "delete")

    response = admin_client.post(action_url(schedule, "delete"), {"reason": "no longer wanted"})

    assert response["Location"] == list_url(Schedule)
    assert message(response) == "Deleted 1 schedule."
    assert not Schedule.objects.filter(pk=schedule.pk).exists()
    assert Execution.objects.get(pk=run.pk).schedule_id is None
    assert Execution.objects.get(pk=waiting.pk).status == "cancelled"
    assert log_of(schedule) == ["Deleted 1 schedule. Reason: no longer wanted"]


def test_what_code_declares_is_not_deleted(admin_client: Client) -> None:
    declared = ScheduleFactory.create(is_declared=True)
    mine, gone = ScheduleFactory.create_batch(2)
    gone.is_declared, gone.enabled, gone.disabled_by = True, False, Schedule.NOT_DECLARED
    gone.save()
    assert "/do/delete/" not in text_of(admin_client, page_url(declared))
    assert "/do/delete/" in text_of(admin_client, page_url(gone))

    response = chosen(admin_client, [declared, mine, gone], "delete", confirmed="yes")

    assert message(response) == "Deleted 2 schedules; skipped 1: enabled."
    assert list(Schedule.objects.all()) == [declared]


def test_arguments_that_nobody_can_read_break_no_list(admin_client: Client) -> None:
    """As a newer version has written them, which was then taken back."""
    schedule = Schedule.objects.cron(tasks.nothing, "0 9 * * *", name="Report")
    spoil(schedule)

    assert "Report" in text_of(admin_client, list_url(Schedule))
