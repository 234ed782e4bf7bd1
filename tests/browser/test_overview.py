"""The overview as people see it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.urls import reverse

from django_agenda.clock import now
from tests.factories import CALM, ExecutionFactory, Scene, WorkerFactory, flood

from .conftest import NARROW, WIDE
from .test_batch_pages import overflow, problems_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADDRESS = reverse("admin:django_agenda_overview_changelist")


def fill() -> None:
    flood(900)
    flood(5300, over=timedelta(days=1), name="A" * 80, key="wave")
    flood(60, scene=CALM)
    flood(80, scene=Scene(elapsed=1.5, failing=0.2, refused=0))
    ExecutionFactory.create_batch(3, due_at=now())
    WorkerFactory.create_batch(2, running=3)
    WorkerFactory.create(beat_at=now() - timedelta(hours=1))


@pytest.mark.parametrize("full", [False, True])
def test_it_fits_wide_and_narrow_screens_and_axe_finds_nothing(
    admin_page: Page, full: bool
) -> None:
    if full:
        fill()

    for size in (WIDE, NARROW):
        admin_page.set_viewport_size(size)  # type: ignore[arg-type]
        admin_page.goto(ADDRESS)
        assert overflow(admin_page) <= 0
    assert not problems_of(admin_page)


def test_it_shows_what_comes_while_one_looks(admin_page: Page) -> None:
    flood(60, scene=CALM)
    admin_page.goto(ADDRESS)
    admin_page.evaluate("window.sameDocument = 'yes'")

    flood(100, name="Came later")
    connections.close_all()
    row = admin_page.get_by_role("link", name="Came later")
    row.wait_for()

    assert admin_page.evaluate("window.sameDocument") == "yes"
    row.click()
    admin_page.locator(".ag-timeline").wait_for()


def test_it_is_found_from_the_menu_and_from_the_list_of_batches(admin_page: Page) -> None:
    flood(60, scene=CALM)
    admin_page.goto("/admin/django_agenda/batch/")

    admin_page.locator("#content").get_by_role("link", name="Overview").click()

    admin_page.locator(".ag-overview svg.ag-svg").wait_for()
    assert admin_page.locator(".breadcrumbs").inner_text().split()[-1] == "Overview"
