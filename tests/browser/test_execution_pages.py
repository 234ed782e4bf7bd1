"""The page of an execution in a browser: its relatives, its progress, and how it keeps fresh."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from django_agenda.models import Execution
from tests.factories import BatchFactory, ExecutionFactory

from .conftest import NARROW
from .test_batch_pages import address, overflow, problems_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Opener = Callable[..., "Page"]


def family() -> Execution:
    """Return what has everything: a line, a fan-out of both kinds, and a progress."""
    first = ExecutionFactory.create(batch=None)
    row: Execution = ExecutionFactory.create(
        batch=None,
        parent=first,
        status="running",
        attempts=1,
        progress_done=370,
        progress_total=1000,
        progress_message="copies rows " + "x" * 60,
    )
    ExecutionFactory.create_batch(12, batch=None, parent=row)
    BatchFactory.create(name="A" * 80, parent=row)
    return row


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_a_family_and_a_progress(
    open_page: Opener, theme: str
) -> None:
    page = open_page(color_scheme=theme)
    page.goto(address(family()))
    if folder := os.environ.get("AGENDA_PICTURES"):
        page.screenshot(path=f"{folder}/family-{theme}.png", full_page=True)

    assert not problems_of(page)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert overflow(page) <= 0


def test_a_progress_moves_by_itself(admin_page: Page) -> None:
    row = family()
    admin_page.goto(address(row))
    admin_page.get_by_text("370 of 1,000 (37 %)").wait_for()

    Execution.objects.filter(pk=row.pk).update(progress_done=990)

    admin_page.get_by_text("990 of 1,000 (99 %)").wait_for(timeout=20_000)
    assert admin_page.locator("progress").get_attribute("value") == "0.9900"
