"""The page of a schedule keeps itself fresh, as those of batches and executions do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from tests.factories import ScheduleFactory

from .actions.acting import list_url, page_url
from .conftest import ClientFor

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep time from changing what is compared; one test moves it.

    No page takes long either, which would be asked for less often.
    """
    monkeypatch.setattr("django_agenda.admin.live.tick", lambda: 0)
    monkeypatch.setattr("django_agenda.admin.live.monotonic", lambda: 0.0)


def live(schedule: Schedule) -> str:
    return reverse("admin:django_agenda_schedule_live", args=[schedule.pk])


def begin(schedule: Schedule, status: str = "running", **more: object) -> Execution:
    fields = {"task_name": schedule.task_name, "tick_at": now(), "due_at": now()} | more
    return Execution.objects.create(schedule=schedule, status=status, **fields)


def again(client: Client, schedule: Schedule, known: str) -> int:
    return client.get(live(schedule), headers={"if-none-match": known}).status_code


def next_of(client: Client, schedule: Schedule) -> int:
    return int(client.get(live(schedule))["X-Agenda-Next"])


def test_the_page_tells_where_its_fragment_is_and_what_it_shows(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    page = admin_client.get(page_url(schedule))

    fragment = admin_client.get(live(schedule)).content.decode()

    assert f'data-live="{live(schedule)}"' in page.content.decode()
    assert again(admin_client, schedule, page.context["live"].tag) == 304
    assert "<html" not in fragment
    assert 'id="ag-times"' in fragment
    assert 'id="ag-runs"' in fragment


def test_nothing_is_rendered_while_nothing_has_changed(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    begin(schedule)
    known = admin_client.get(live(schedule))["ETag"]

    with CaptureQueriesContext(connection) as captured:
        assert again(admin_client, schedule, known) == 304

    # The session, the user, the schedule, and its runs that have not ended.
    assert len(captured) <= 4


def test_a_run_is_shown_when_it_begins_and_when_it_ends(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    before = admin_client.get(live(schedule))
    assert "It has not run yet." in before.content.decode()

    run = begin(schedule)
    running = admin_client.get(live(schedule), headers={"if-none-match": before["ETag"]})
    assert "running" in running.content.decode()
    Execution.objects.filter(pk=run.pk).update(status="succeeded", finished_at=now(), run_ms=70)
    ended = admin_client.get(live(schedule), headers={"if-none-match": running["ETag"]})

    assert "70 ms" in ended.content.decode()


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"next_at": None}, {"error": "gone"}, {"skips": 3}]
)
def test_a_change_of_its_row_is_shown(admin_client: Client, change: dict[str, object]) -> None:
    schedule = ScheduleFactory.create()
    known = admin_client.get(live(schedule))["ETag"]

    Schedule.objects.filter(pk=schedule.pk).update(**change)

    assert again(admin_client, schedule, known) == 200


def test_time_alone_moves_it_until_it_is_over(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking = ScheduleFactory.create()
    over = ScheduleFactory.create(enabled=False, next_at=None, ended_at=now())
    known = {one.pk: admin_client.get(live(one))["ETag"] for one in (ticking, over)}

    monkeypatch.setattr("django_agenda.admin.live.tick", lambda: 1)

    assert again(admin_client, ticking, known[ticking.pk]) == 200
    assert again(admin_client, over, known[over.pk]) == 304


def test_the_answer_says_when_to_ask_again(admin_client: Client) -> None:
    soon = ScheduleFactory.create(next_at=now() + timedelta(seconds=1))
    later = ScheduleFactory.create(next_at=now() + HOUR)
    runs = ScheduleFactory.create(next_at=now() + HOUR)
    begin(runs)
    held = ScheduleFactory.create(enabled=False, next_at=None)
    begin(held, "scheduled", held_by="paused")
    by_hand = ScheduleFactory.create(enabled=False, next_at=None)
    begin(by_hand, "scheduled", tick_at=None, due_at=now() + MINUTE)

    asked = [next_of(admin_client, one) for one in (soon, later, runs, held)]

    assert asked == [2, 30, 2, 10]
    assert 20 <= next_of(admin_client, by_hand) <= 30


def test_what_is_over_does_not_ask_but_for_a_run_that_lives(admin_client: Client) -> None:
    over = ScheduleFactory.create(enabled=False, next_at=None, ended_at=now())
    assert 'class="ag-live"' not in admin_client.get(page_url(over)).content.decode()

    begin(over)

    assert next_of(admin_client, over) == 2


def test_nobody_is_disturbed_in_the_middle_of_a_form(admin_client: Client) -> None:
    schedule = ScheduleFactory.create()
    edit = reverse("admin:django_agenda_schedule_edit", args=[schedule.pk])

    for form in (edit, f"{list_url(Schedule)}add/"):
        page = admin_client.get(form).content.decode()
        assert "<form" in page
        assert "data-live" not in page


def test_the_rights_are_those_of_the_page(client_for: ClientFor) -> None:
    schedule = ScheduleFactory.create()
    begin(schedule)

    fragment = client_for("view_schedule").get(live(schedule)).content.decode()

    assert 'id="ag-times"' in fragment
    assert 'id="ag-runs"' not in fragment
    assert "/do/" not in fragment
