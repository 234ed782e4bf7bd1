"""Without JavaScript every page works: links zoom, filters filter, actions act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from django_agenda.models import Batch
from tests.factories import Scene, flood

from .test_batch_pages import address

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page(java_script_enabled=False)


def test_every_page_is_whole(page: Page, every_page: list[str]) -> None:
    for one in every_page:
        answer = page.goto(one)
        assert answer is not None
        assert answer.ok
        assert page.locator("#content").is_visible()
        assert page.locator(".ag-live:visible").count() == 0


def test_links_zoom_and_go_back_to_the_whole(page: Page) -> None:
    batch = flood(900, scene=Scene(elapsed=2.0, refused=0))
    page.goto(address(batch))

    page.locator("a[data-key='+']").click()
    assert "from=" in page.url
    page.locator("a.ag-zoom").nth(3).click()
    page.locator(".ag-plot-rows").wait_for()
    page.locator("a[data-key='Escape']").click()

    page.locator(".ag-plot-dots").wait_for()
    assert "from=" not in page.url


def test_a_status_filters_the_page_and_its_table_turns_over(page: Page) -> None:
    batch = flood(900, scene=Scene(failing=0.3))
    page.goto(address(batch))

    page.get_by_role("link", name=f"{batch.failed} failed").first.click()
    page.locator("#executions").get_by_role("link", name="Next").click()

    states = page.locator("#executions td .ag-badge").all_inner_texts()
    assert set(states) == {"failed"}
    assert "after=" in page.url


def test_lists_are_filtered_and_searched(page: Page) -> None:
    batch = flood(60, scene=Scene(failing=0.3, refused=0))
    page.goto("/admin/django_agenda/execution/")

    page.locator("#changelist-filter").get_by_role("link", name="failed", exact=True).click()
    assert page.locator("#result_list tbody tr").count() == min(batch.failed, 50)
    page.locator("#searchbar").fill("error:no address")
    page.locator("#changelist-search [type=submit]").click()

    texts = page.locator("#result_list tbody tr").all_inner_texts()
    assert texts
    assert all("no address" in text for text in texts)


def test_a_batch_is_put_right_and_rows_are_cancelled(page: Page) -> None:
    batch = flood(60, scene=Scene(elapsed=-0.5, outage=None, refused=0.2, cancelled=0))
    page.goto(address(batch))
    page.locator(".ag-head").get_by_role("link", name="Enqueue the rest").click()
    page.get_by_role("button", name="Enqueue 12 executions").click()
    page.locator(".messagelist").get_by_text("Enqueued 12 executions.").wait_for()

    page.goto("/admin/django_agenda/execution/")
    for row in range(2):
        page.locator("#result_list tbody input[type=checkbox]").nth(row).check()
    page.get_by_label("Action").first.select_option("cancel")
    page.locator("button[name=index]").first.click()
    page.get_by_role("button", name="Cancel 2 executions").click()

    page.locator(".messagelist").get_by_text("Cancelled 2 executions.").wait_for()
    assert Counter(batch.executions.values_list("status", flat=True)) == {
        "scheduled": 58,
        "cancelled": 2,
    }
    assert Batch.objects.get(pk=batch.pk).pending == 0
