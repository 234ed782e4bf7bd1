"""A batch that broke is put right with the mouse: two clicks for what was refused, two for what
failed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from django_agenda.models import Batch, Execution
from tests.factories import Scene, flood

from .conftest import NARROW
from .test_batch_pages import address, overflow, problems_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BROKEN = Scene(outage=None, failing=0.1, missing=0.05)


def counts(batch: Batch) -> Counter[str]:
    return Counter(batch.executions.values_list("status", flat=True))


def test_a_batch_is_repaired(admin_page: Page) -> None:
    batch = flood(300, scene=BROKEN)
    failed = batch.failed + batch.missed
    admin_page.goto(address(batch))
    head = admin_page.locator(".ag-head")

    head.get_by_role("link", name="Enqueue the rest").click()
    admin_page.get_by_role("button", name=f"Enqueue {batch.pending} executions").click()
    told = admin_page.locator(".messagelist")
    told.get_by_text(f"Enqueued {batch.pending} executions.").wait_for()
    assert head.get_by_role("link", name="Enqueue").count() == 0

    head.get_by_role("link", name=f"Retry {failed} executions").click()
    admin_page.get_by_label("Reason").fill("The mail server is back")
    admin_page.get_by_role("button", name=f"Retry {failed} executions").click()
    told.get_by_text(f"Retried {failed} executions.").wait_for()
    assert head.get_by_role("link", name="Retry").count() == 0

    said = admin_page.get_by_role("listitem").filter(has_text="Reason: The mail server is back")
    assert said.is_visible()
    assert not set(counts(batch)) & {"pending", "failed", "missed"}


def test_one_kind_of_error_is_retried_from_its_line(admin_page: Page) -> None:
    batch = flood(300, scene=BROKEN)
    line = batch.executions.filter(status="failed", error_class="builtins.ValueError")
    many, failed = line.count(), batch.failed
    admin_page.goto(address(batch))

    row = admin_page.locator("tr", has_text="ValueError").filter(has_text="no address")
    row.first.get_by_role("link", name=f"Retry {many} execution").click()
    admin_page.get_by_text("no address for customer").wait_for()
    admin_page.get_by_role("button", name=f"Retry {many} execution").click()

    admin_page.get_by_text(f"Retried {many} execution").first.wait_for()
    assert counts(batch)["failed"] == failed - many


def test_rows_are_ticked_and_cancelled(admin_page: Page) -> None:
    batch = flood(12, scene=Scene(elapsed=-0.5, outage=None, refused=0, cancelled=0))
    admin_page.goto("/admin/django_agenda/execution/")
    admin_page.locator("#action-toggle").check()
    admin_page.get_by_label("Action").first.select_option("cancel")
    admin_page.locator("button[name=index]").first.click()

    admin_page.get_by_role("button", name="Cancel 12 executions").click()

    admin_page.get_by_text("Cancelled 12 executions.").wait_for()
    assert counts(batch) == {"cancelled": 12}


def test_whoever_does_nothing_comes_back(admin_page: Page) -> None:
    batch = flood(300, scene=BROKEN)
    admin_page.goto(address(batch))
    admin_page.get_by_role("link", name="Cancel …").click()

    admin_page.get_by_role("link", name="Go back").click()

    admin_page.locator(".ag-timeline").wait_for()
    assert Batch.objects.get(pk=batch.pk).version == batch.version


@pytest.mark.parametrize("slug", ["enqueue", "retry", "pause", "respread", "reschedule", "cancel"])
def test_pages_that_ask_fit_and_are_accessible(admin_page: Page, slug: str) -> None:
    batch = flood(60, scene=BROKEN)
    execution = Execution.objects.filter(batch=batch, status="scheduled").earliest("position")
    rows: list[Batch | Execution] = [batch]
    if slug == "reschedule":
        rows.append(execution)

    for row in rows:
        asking = address(row).replace("/change/", f"/do/{slug}/")
        admin_page.goto(asking)
        assert not problems_of(admin_page)
        admin_page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        assert overflow(admin_page) <= 0


def tab_to(page: Page, words: str) -> None:
    """Move the focus with the keyboard alone until it is on what has these words."""
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText ?? ''")
        if str(focused).strip().startswith(words):
            return
    raise AssertionError(f"{words!r} cannot be reached with the keyboard.")


def test_a_partly_scheduled_batch_is_repaired_with_the_keyboard_alone(admin_page: Page) -> None:
    batch = flood(300, scene=BROKEN)
    failed = batch.failed + batch.missed
    admin_page.goto(address(batch))

    enqueue, retry = f"Enqueue {batch.pending} executions", f"Retry {failed} executions"
    for link, words, done in (
        ("Enqueue the rest", enqueue, f"Enqueued {batch.pending} executions."),
        (retry, retry, f"Retried {failed} executions."),
    ):
        tab_to(admin_page, link)
        admin_page.keyboard.press("Enter")
        admin_page.locator("form button[type=submit]", has_text=words).wait_for()
        tab_to(admin_page, words)
        admin_page.keyboard.press("Enter")
        admin_page.locator(".messagelist").get_by_text(done).wait_for()

    assert not set(counts(batch)) & {"pending", "failed", "missed"}


def test_it_is_looked_into_before_it_is_repaired_and_back_leads_out(admin_page: Page) -> None:
    batch = flood(900, scene=BROKEN)
    admin_page.goto(address(batch))

    admin_page.locator("a[data-key='+']").focus()
    admin_page.keyboard.press("+")
    admin_page.wait_for_url("**from=**")
    admin_page.get_by_role("link", name=f"{batch.failed} failed").first.click()
    admin_page.locator(".ag-only-failed").wait_for()
    admin_page.locator(".ag-head").get_by_role("link", name="Retry").click()
    admin_page.get_by_role("link", name="Go back").click()
    admin_page.locator(".ag-timeline").wait_for()

    for seen in ("/do/retry/", "status=failed", "from="):
        admin_page.go_back()
        admin_page.wait_for_url(f"**{seen}**")
    admin_page.locator(".ag-only-failed").wait_for(state="detached")
