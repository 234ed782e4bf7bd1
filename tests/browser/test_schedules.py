"""The pages of schedules in a real browser: they fit, can be read, and say no more than allowed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from tests import tasks
from tests.factories import ScheduleFactory

from .conftest import NARROW
from .test_batch_pages import overflow, problems_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/django_agenda/schedule/"


@pytest.fixture
def schedule() -> Schedule:
    shown = Schedule.objects.cron(
        tasks.nothing,
        "0 9 * * 1-5",
        timezone="Europe/Berlin",
        name="Morning report",
        description="Adds up what was sold.",
        labels=["nightly"],
    )
    for status in ("succeeded", "failed", "scheduled"):
        tick = now()
        ended = None if status == "scheduled" else tick
        Execution.objects.create(
            task_name=shown.task_name,
            schedule=shown,
            tick_at=tick,
            due_at=tick,
            status=status,
            finished_at=ended,
            lag_ms=3,
            run_ms=1200,
        )
    ScheduleFactory.create(task_name="shop.tasks.gone", name="Old import")
    ScheduleFactory.create(enabled=False, next_at=None, name="Backup")
    return shown


@pytest.mark.parametrize("size", [None, NARROW], ids=["wide", "narrow"])
def test_the_list_and_the_page_fit(
    admin_page: Page, schedule: Schedule, size: dict[str, int] | None, theme: str
) -> None:
    if size is not None:
        admin_page.set_viewport_size(size)  # type: ignore[arg-type]
    for name, address in (
        ("list", LIST),
        ("form", f"{LIST}{schedule.pk}/edit/"),
        ("page", f"{LIST}{schedule.pk}/change/"),
    ):
        admin_page.goto(address)
        assert overflow(admin_page) <= 0
        assert "Morning report" in admin_page.inner_text("#content")
        if name == "form":
            admin_page.get_by_role("button", name="Preview").click()
            admin_page.get_by_role("heading", name="Its next runs would be").wait_for()
            assert overflow(admin_page) <= 0
            assert not problems_of(admin_page)
        if folder := os.environ.get("AGENDA_SHOTS"):
            kind = "narrow" if size else "wide"
            admin_page.screenshot(path=f"{folder}/{name}-{kind}-{theme}.png", full_page=True)
    assert not problems_of(admin_page)
