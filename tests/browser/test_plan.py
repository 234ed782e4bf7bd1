"""A new batch is planned with the keyboard alone, and error groups are dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from django_agenda.models import Batch, ErrorGroup
from tests.factories import Scene, flood

from .conftest import NARROW, WIDE
from .test_batch_pages import overflow, problems_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADD = reverse("admin:django_agenda_batch_add")
ERRORS = reverse("admin:django_agenda_errorgroup_changelist")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until that field or button has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.name") == name:
            return
    pytest.fail(f"Tab does not lead to {name}")


def fits(page: Page) -> None:
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert overflow(page) <= 0
    assert not problems_of(page)


def test_a_batch_is_planned_with_the_keyboard_alone(admin_page: Page) -> None:
    admin_page.goto(ADD)
    fits(admin_page)
    for name, words in (
        ("task", "tests.tasks.add"),
        ("lines", "[1, 2]\n[3, 4]\nnonsense"),
        ("amount", "30"),
        ("name", "Sums"),
    ):
        tab_to(admin_page, name)
        admin_page.keyboard.type(words)
    admin_page.keyboard.press("Enter")
    admin_page.get_by_text("Line 3: nonsense").wait_for()
    fits(admin_page)
    assert not Batch.objects.exists()

    tab_to(admin_page, "lines")
    admin_page.keyboard.press("Control+End")
    for _letter in "\nnonsense":
        admin_page.keyboard.press("Backspace")
    tab_to(admin_page, "preview")
    admin_page.keyboard.press("Enter")
    admin_page.locator("#ag-preview svg.ag-svg").wait_for()
    fits(admin_page)
    assert not Batch.objects.exists()

    tab_to(admin_page, "confirm")
    admin_page.keyboard.press("Enter")
    admin_page.locator(".messagelist").get_by_text("Scattered: 2 scheduled").wait_for()
    batch = Batch.objects.get()
    assert (batch.name, batch.total) == ("Sums", 2)


def test_a_kind_of_error_is_resolved_and_retried(admin_page: Page) -> None:
    flood(300, scene=Scene(failing=0.2))
    admin_page.goto(ERRORS)
    fits(admin_page)
    row = admin_page.locator("tr", has_text="ValueError")

    row.get_by_role("link", name="Resolve").click()
    admin_page.locator(".ag-ask").wait_for()
    fits(admin_page)
    admin_page.get_by_label("Reason").fill("Imported")
    admin_page.get_by_role("button", name="Resolve this kind of error").click()
    admin_page.locator(".messagelist").get_by_text("Resolved.").wait_for()
    assert row.count() == 0
    assert ErrorGroup.objects.get().note == "Imported"

    admin_page.get_by_role("link", name="resolved").click()
    row.get_by_role("link", name="Retry").click()
    admin_page.locator(".ag-ask").wait_for()
    admin_page.get_by_role("button", name="Retry").click()
    admin_page.locator(".messagelist").get_by_text("Retried").wait_for()
