"""A page that keeps itself fresh, and a timeline that is zoomed by dragging."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.db.models import F
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Schedule
from tests.factories import CALM, BatchFactory, Scene, ScheduleFactory, flood

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def address(batch: Batch) -> str:
    return reverse("admin:django_agenda_batch_change", args=[batch.pk])


def finish(batch: Batch, count: int) -> None:
    """Let so many more executions of a batch succeed, and end it with the last."""
    waiting = Execution.objects.filter(batch=batch, status__in=("scheduled", "running"))
    chosen = list(waiting.order_by("position").values_list("pk", "status")[:count])
    for status in ("scheduled", "running"):
        ids = [pk for pk, before in chosen if before == status]
        Execution.objects.filter(pk__in=ids).update(
            status="succeeded", finished_at=now(), started_at=now(), lag_ms=20, run_ms=30
        )
        Batch.objects.filter(pk=batch.pk).update(
            **{status: F(status) - len(ids)},
            succeeded=F("succeeded") + len(ids),
            version=F("version") + 1,
        )
    if not waiting.exists():
        Batch.objects.filter(pk=batch.pk).update(finished_at=now(), version=F("version") + 1)
    connections.close_all()


def live_answers(page: Page) -> list[Response]:
    answers: list[Response] = []
    page.on("response", lambda one: answers.append(one) if "/live/" in one.url else None)
    return answers


def requests_of_a_minute(page: Page) -> list[str]:
    """Let a minute of the page pass at once, and return what it asked for."""
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    for _ in range(6):
        page.clock.fast_forward(10_000)
    page.evaluate("new Promise(resolve => requestAnimationFrame(resolve))")
    return asked


def drag(page: Page, begin: float, end: float) -> None:
    box = page.locator(".ag-svg").bounding_box()
    assert box is not None
    y = box["y"] + 60
    page.mouse.move(box["x"] + box["width"] * begin, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (begin + end) / 2, y, steps=3)
    assert page.locator(".ag-brush").count() == 1
    page.mouse.move(box["x"] + box["width"] * end, y, steps=3)
    page.mouse.up()


def test_a_running_batch_is_followed_until_it_has_finished(admin_page: Page) -> None:
    batch = flood(60, scene=CALM)
    answers = live_answers(admin_page)
    admin_page.clock.install()
    admin_page.goto(address(batch))
    sentence = admin_page.locator(".ag-sentence")
    marker = admin_page.evaluate("window.sameDocument = 'yes'")

    finish(batch, 5)
    admin_page.get_by_text(f"{batch.succeeded + 5} succeeded").first.wait_for()
    finish(batch, 60)
    admin_page.get_by_text("60 succeeded of 60").first.wait_for()
    admin_page.locator(".ag-live[data-state=ended]").wait_for()
    last = answers[-1]

    assert sentence.inner_text() == "60 succeeded of 60"
    assert admin_page.evaluate("window.sameDocument") == marker == "yes"
    assert last.headers["x-agenda-next"] == "0"
    assert not requests_of_a_minute(admin_page)
    assert admin_page.locator(".ag-unseen").inner_text() == "60 succeeded of 60"


def test_the_runs_of_a_schedule_are_followed(admin_page: Page) -> None:
    schedule = ScheduleFactory.create(next_at=now() + timedelta(seconds=3))
    fields = {"task_name": schedule.task_name, "tick_at": now(), "due_at": now()}
    admin_page.goto(reverse("admin:django_agenda_schedule_change", args=[schedule.pk]))
    admin_page.get_by_text("It has not run yet.").wait_for()
    admin_page.evaluate("window.sameDocument = 'yes'")
    times = admin_page.locator("[aria-labelledby=ag-times] tbody tr th")
    first = times.first.inner_text()

    run = Execution.objects.create(schedule=schedule, status="running", **fields)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=now() + timedelta(hours=2))
    connections.close_all()
    row = admin_page.locator("[aria-labelledby=ag-runs] tbody tr")
    row.get_by_text("running").wait_for()
    assert times.first.inner_text() != first
    Execution.objects.filter(pk=run.pk).update(status="succeeded", finished_at=now(), run_ms=70)
    connections.close_all()
    row.get_by_text("succeeded").wait_for()

    assert row.count() == 1
    assert "70 ms" in row.inner_text()
    assert admin_page.evaluate("window.sameDocument") == "yes"


def test_what_has_not_changed_is_not_sent_again(admin_page: Page) -> None:
    batch = flood(60, over=timedelta(days=300), scene=CALM)
    answers = live_answers(admin_page)
    admin_page.goto(address(batch))

    with admin_page.expect_response("**/live/**") as found:
        admin_page.locator(".ag-live").wait_for()

    assert found.value.status == 304
    assert {one.status for one in answers} == {304}


def test_rows_under_ones_hands_stay(admin_page: Page) -> None:
    batch = flood(60, scene=CALM)
    admin_page.clock.install()
    admin_page.goto(address(batch))
    admin_page.locator(".ag-sentence").evaluate("one => getSelection().selectAllChildren(one)")
    admin_page.locator(".ag-live[data-state=still]").wait_for()

    finish(batch, 5)
    assert not requests_of_a_minute(admin_page)
    admin_page.evaluate("getSelection().removeAllRanges()")

    admin_page.get_by_text(f"{batch.succeeded + 5} succeeded").first.wait_for()


def test_it_can_be_switched_off_and_stays_off(admin_page: Page) -> None:
    batch = flood(60, scene=CALM)
    admin_page.clock.install()
    admin_page.goto(address(batch))
    assert requests_of_a_minute(admin_page)
    admin_page.locator(".ag-live select").select_option("0")
    admin_page.reload()

    admin_page.locator(".ag-live[data-state=off]").wait_for()

    assert not requests_of_a_minute(admin_page)


def test_a_session_that_has_ended_is_said(admin_page: Page) -> None:
    batch = flood(60, scene=CALM)
    admin_page.goto(address(batch))
    admin_page.context.clear_cookies()

    admin_page.locator(".ag-live[data-state=gone]").wait_for()


def test_the_focus_is_where_it_was(admin_page: Page) -> None:
    batch = flood(60, scene=CALM)
    admin_page.goto(address(batch))
    admin_page.locator("a[data-key='+']").focus()

    finish(batch, 5)
    admin_page.get_by_text(f"{batch.succeeded + 5} succeeded").first.wait_for()

    assert admin_page.evaluate("document.activeElement.dataset.key") == "+"


def test_dragging_over_the_timeline_zooms_and_back_returns(admin_page: Page) -> None:
    batch = flood(900, scene=Scene(elapsed=2.0, refused=0))
    admin_page.goto(address(batch))
    admin_page.evaluate("window.sameDocument = 'yes'")

    drag(admin_page, 0.4, 0.5)
    admin_page.locator(".ag-plot-rows").wait_for()

    assert admin_page.evaluate("window.sameDocument") == "yes"
    begin = int(admin_page.locator(".ag-svg").get_attribute("data-lo") or 0)
    whole = timedelta(hours=4) / timedelta(milliseconds=1)
    assert abs(begin / whole - 0.4) < 0.01
    assert admin_page.locator(".ag-brush").count() == 0
    admin_page.go_back()
    admin_page.locator(".ag-plot-dots").wait_for()
    assert "from=" not in admin_page.url


def test_the_keys_of_the_timeline_move_it(admin_page: Page) -> None:
    batch = flood(900, scene=Scene(elapsed=2.0, refused=0))
    admin_page.goto(address(batch))
    svg = admin_page.locator(".ag-svg")
    admin_page.locator("a[data-key='+']").focus()

    for key in ("+", "ArrowRight", "Escape"):
        before = svg.get_attribute("data-lo")
        admin_page.keyboard.press(key)
        admin_page.wait_for_function(
            "before => document.querySelector('.ag-svg').dataset.lo !== before", arg=before
        )

    assert svg.get_attribute("data-lo") == "0"


@pytest.mark.parametrize("key", ["+", "Escape"])
def test_keys_elsewhere_are_left_alone(admin_page: Page, key: str) -> None:
    batch = flood(30, scene=CALM)
    admin_page.goto(address(batch))

    admin_page.locator("#ag-definition").click()
    admin_page.keyboard.press(key)

    assert "from=" not in admin_page.url


def test_without_scripts_the_page_is_whole_and_links_zoom(admin_page: Page) -> None:
    batch = flood(900, scene=Scene(elapsed=2.0, refused=0))
    browser = admin_page.context.browser
    assert browser is not None
    context = browser.new_context(
        java_script_enabled=False, storage_state=admin_page.context.storage_state()
    )
    admin_page.goto(address(batch))
    page = context.new_page()
    page.goto(admin_page.url)

    page.locator("a[data-key='+']").click()

    assert "from=" in page.url
    assert page.locator(".ag-live").count() == 0
    context.close()


def test_a_list_says_what_is_new_and_keeps_its_rows(admin_page: Page) -> None:
    flood(20, name="There before")
    admin_page.goto("/admin/django_agenda/batch/")
    rows = admin_page.locator("#result_list tbody tr")
    assert rows.count() == 1

    BatchFactory.create(name="Came later")
    connections.close_all()
    admin_page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    link = admin_page.get_by_role("link", name="1 new – show")
    link.wait_for()
    assert rows.count() == 1

    link.click()
    admin_page.get_by_text("Came later").wait_for()
    assert rows.count() == 2
    assert admin_page.locator(".ag-new").count() == 0
