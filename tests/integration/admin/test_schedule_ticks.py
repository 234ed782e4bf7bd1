"""A schedule that did not fire in time says so, and what that cost."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Schedule
from tests.factories import ExecutionFactory, ScheduleFactory, flood

HOUR = timedelta(hours=1)
LIST = reverse("admin:django_agenda_schedule_changelist")
OVERVIEW = reverse("admin:django_agenda_overview_changelist")

pytestmark = pytest.mark.django_db


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def page_of(schedule: Schedule) -> str:
    return reverse("admin:django_agenda_schedule_change", args=[schedule.pk])


def hourly(next_at: datetime) -> Schedule:
    return ScheduleFactory.create(next_at=next_at, anchor=next_at)


def test_an_overdue_schedule_is_red_everywhere(admin_client: Client) -> None:
    flood(10)
    schedule = hourly(now() - 5 * HOUR - timedelta(minutes=30))

    for address in (LIST, page_of(schedule), OVERVIEW):
        assert "overdue for 5 h 30 min, 6 runs missed" in text_of(admin_client, address)
    for address in (LIST, page_of(schedule)):
        assert '<span class="ag-badge ag-s-failed">' in text_of(admin_client, address)


def test_its_next_runs_lie_ahead(admin_client: Client) -> None:
    schedule = hourly(now() - 5 * HOUR - timedelta(minutes=29, seconds=30))

    times = admin_client.get(page_of(schedule)).context["page"].times

    assert len(times) == 10
    assert all(time.away.startswith("in ") for time in times)
    assert "in 30 min" in text_of(admin_client, LIST)


def test_a_schedule_in_time_is_not_overdue(admin_client: Client) -> None:
    on_time, off = hourly(now() - timedelta(seconds=5)), hourly(now() - HOUR)
    Schedule.objects.filter(pk=off.pk).update(enabled=False)

    for address in (LIST, page_of(on_time), page_of(off)):
        assert "overdue" not in text_of(admin_client, address).lower()


def test_after_the_catch_up_the_ticks_that_did_not_run_are_told(admin_client: Client) -> None:
    moment = now()
    schedule = ScheduleFactory.create(
        next_at=moment + HOUR / 2, anchor=moment + HOUR / 2 - 24 * HOUR
    )
    for hours in (8, 7, 1):
        assert schedule.next_at is not None
        tick = schedule.next_at - hours * HOUR
        ExecutionFactory.create(
            schedule=schedule, tick_at=tick, due_at=tick, status="succeeded", finished_at=moment
        )

    page = text_of(admin_client, page_of(schedule))

    assert page.count("before it did not run") == 1
    assert "5 runs before it did not run" in page


def test_more_ticks_than_anybody_counts_are_told_as_that(admin_client: Client) -> None:
    start = now() - 9 * HOUR
    schedule = ScheduleFactory.create(
        interval=timedelta(seconds=1), anchor=start, next_at=start, name="Pulse"
    )

    assert "overdue for 9 h, 100+ runs missed" in text_of(admin_client, page_of(schedule))
