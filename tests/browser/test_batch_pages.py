"""The pages of batches as people see them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from django_agenda.models import Batch, Execution
from tests.factories import Scene, flood

from .conftest import NARROW

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/django_agenda/batch/"


def address(row: Batch | Execution) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_change", args=[row.pk])


def overflow(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return found


def problems_of(page: Page) -> list[str]:
    """Return what axe finds wrong with our part of the page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, context=".ag").response["violations"]
    return [f"{problem['id']}: {problem['nodes'][0]['html']}" for problem in found]


@pytest.mark.parametrize(("total", "detail"), [(40, "rows"), (900, "dots"), (5300, "density")])
def test_the_timeline_is_seen_at_every_level(admin_page: Page, total: int, detail: str) -> None:
    batch = flood(total)

    admin_page.goto(address(batch))

    plot = admin_page.locator(f".ag-plot-{detail} svg.ag-svg")
    box = plot.bounding_box()
    assert box is not None
    assert box["width"] > 600
    assert plot.locator(".ag-now").is_visible()
    assert overflow(admin_page) <= 0


def test_a_click_on_the_timeline_zooms_and_back_returns(admin_page: Page) -> None:
    batch = flood(900, over=timedelta(hours=2))
    admin_page.goto(address(batch))

    admin_page.locator("a.ag-zoom").nth(3).click()
    admin_page.locator(".ag-plot-rows").wait_for()
    assert "from=" in admin_page.url

    admin_page.go_back()
    admin_page.locator(".ag-plot-dots").wait_for()


def test_a_row_leads_to_its_execution(admin_page: Page) -> None:
    batch = flood(12, scene=Scene(refused=0, outage=None))
    admin_page.goto(address(batch))

    admin_page.locator("a.ag-row").first.click()

    admin_page.locator(".ag-path").wait_for()
    assert "/execution/" in admin_page.url


def test_a_status_of_the_outcome_filters_the_page(admin_page: Page) -> None:
    batch = flood(300, scene=Scene(failing=0.2))
    admin_page.goto(address(batch))

    admin_page.get_by_role("link", name=f"{batch.failed} failed").first.click()

    admin_page.locator(".ag-only-failed").wait_for()
    states = admin_page.locator("#executions td .ag-badge").all_inner_texts()
    assert set(states) == {"failed"}


@pytest.mark.parametrize("total", [0, 40, 900])
def test_pages_fit_a_narrow_screen(admin_page: Page, total: int) -> None:
    batch = flood(total)
    admin_page.set_viewport_size(NARROW)  # type: ignore[arg-type]

    for path in (LIST, address(batch)):
        admin_page.goto(path)
        assert overflow(admin_page) <= 0


@pytest.mark.parametrize("total", [0, 40, 900, 5300])
def test_axe_finds_nothing_wrong_with_the_page_of_a_batch(admin_page: Page, total: int) -> None:
    batch = flood(total, key="wave", labels=["mail"])

    admin_page.goto(address(batch))

    assert not problems_of(admin_page)


def test_axe_finds_nothing_wrong_with_the_page_of_an_execution(admin_page: Page) -> None:
    flood(60, scene=Scene(failing=0.5, refused=0))
    execution = Execution.objects.filter(status="failed").earliest("position")

    admin_page.goto(address(execution))

    assert not problems_of(admin_page)


def test_the_lists_are_clean_in_both_themes(admin_page: Page) -> None:
    flood(300)

    for model in ("batch", "execution", "worker"):
        admin_page.goto(f"/admin/django_agenda/{model}/")
        assert admin_page.locator("#content").is_visible()


def test_time_runs_from_left_to_right_in_every_language(admin_page: Page) -> None:
    batch = flood(300)
    admin_page.goto(address(batch))
    admin_page.context.add_cookies(
        [{"name": "django_language", "value": "ar", "url": admin_page.url}]
    )
    admin_page.reload()

    assert admin_page.locator("html").get_attribute("dir") == "rtl"
    first, *_others, last = admin_page.locator(".ag-tick text").all()
    left, right = first.bounding_box(), last.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] < right["x"]
    assert overflow(admin_page) <= 0
