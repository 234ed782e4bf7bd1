"""The kinds of errors: what the page counts, and what it makes of what people said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.admin.errors.page import Page
from django_agenda.clock import now
from django_agenda.models import Batch, ErrorGroup, Execution
from django_agenda.models.errors import fingerprint
from tests.factories import BatchFactory, ExecutionFactory, Scene, flood

from .conftest import ClientFor
from .test_pages import NOT_ALLOWED

ADDRESS = reverse("admin:django_agenda_errorgroup_changelist")
LIVE = reverse("admin:django_agenda_errorgroup_live")
OVERVIEW = reverse("admin:django_agenda_overview_changelist")

pytestmark = pytest.mark.django_db


def shown(client: Client, query: str = "") -> tuple[Page, str]:
    response = client.get(ADDRESS + query)
    assert response.status_code == 200
    return response.context["page"], response.content.decode()


def fail(words: str, ago: timedelta = timedelta(minutes=1), **fields: Any) -> Execution:
    """Make one execution that failed so long ago."""
    moment = now() - ago
    found: Execution = ExecutionFactory.create(
        status="failed",
        failed_stage="run",
        error_class="builtins.ValueError",
        error_message=words,
        error_fingerprint=fingerprint("run", "builtins.ValueError", words),
        due_at=moment,
        finished_at=moment,
        **fields,
    )
    return found


def mark(execution: Execution, state: str, at: datetime | None = None, **fields: Any) -> None:
    ErrorGroup.objects.create(
        pk=execution.error_fingerprint, state=state, changed_at=at or now(), **fields
    )


def messages(page: Page) -> list[str]:
    return [row.message for row in page.rows]


def test_the_same_problem_is_one_row_counted_by_the_hour_the_day_and_the_week(
    admin_client: Client,
) -> None:
    for ago in (timedelta(minutes=5), timedelta(hours=5), timedelta(days=3), timedelta(days=9)):
        fail(f"no customer {ago.days}", ago)
    fail("no stock", timedelta(days=2), task_name="shop.tasks.count")

    page, text = shown(admin_client)

    assert messages(page) == ["no customer <n>", "no stock"]
    row = page.rows[0]
    assert (row.hour, row.day, row.week, row.share) == ("1", "2", "3", "75 %")
    assert sum(row.group.line) == 3
    assert "2 open kinds of errors" in text
    assert page.rows[1].task == "count"


def test_stages_are_told_apart_and_batches_counted(admin_client: Client) -> None:
    batches = [flood(100, scene=Scene(failing=0.2)) for _ in range(2)]

    page, text = shown(admin_client)

    assert {row.stage for row in page.rows} == {"enqueue", "run", "expired"}
    assert {row.group.batches for row in page.rows} == {2}
    listed = {row.stage: int(row.week) for row in page.rows if row.stage != "run"}
    assert listed["enqueue"] == sum(batch.pending for batch in batches)
    assert listed["expired"] == sum(batch.missed for batch in batches)
    assert not NOT_ALLOWED.search(text)


def test_what_succeeded_or_was_retried_counts_no_more(admin_client: Client) -> None:
    failed = fail("no customer")
    Execution.objects.filter(pk=failed.pk).update(status="succeeded")

    page, text = shown(admin_client)

    assert not page.rows
    assert "No error is open" in text


def test_a_resolved_one_is_out_of_the_way(admin_client: Client) -> None:
    mark(fail("no customer"), "resolved", changed_by="ann", note="Imported <them>")
    fail("no stock")

    page, _text = shown(admin_client)
    resolved, text = shown(admin_client, "?state=resolved")

    assert messages(page) == ["no stock"]
    assert [(one.label, one.count) for one in page.choices] == [
        ("open", "1"),
        ("resolved", "1"),
        ("ignored", "0"),
        ("all", "2"),
    ]
    assert messages(resolved) == ["no customer"]
    assert "by ann 0 s ago" in text
    assert "Imported &lt;them&gt;" in text


def test_a_resolved_one_reopens_by_itself_when_it_occurs_again(admin_client: Client) -> None:
    mark(fail("no customer"), "resolved", now() - timedelta(seconds=30), changed_by="ann")
    assert not shown(admin_client)[0].rows

    fail("no customer", timedelta(seconds=10))

    page, _text = shown(admin_client)
    assert messages(page) == ["no customer"]
    assert page.rows[0].marked.startswith("came again; resolved by ann")
    assert ErrorGroup.objects.get().state == "resolved"


def test_an_ignored_one_stays_ignored_when_it_occurs_again(admin_client: Client) -> None:
    mark(fail("no customer"), "ignored", now() - timedelta(hours=1))
    fail("no customer")

    assert not shown(admin_client)[0].rows
    assert messages(shown(admin_client, "?state=ignored")[0]) == ["no customer"]
    assert messages(shown(admin_client, "?state=all")[0]) == ["no customer"]


def test_the_overview_leaves_out_what_is_ignored_or_resolved(admin_client: Client) -> None:
    batch = BatchFactory.create(total=3, failed=2, succeeded=1, finished_at=now())
    fail("no customer", batch=batch)
    ignored = fail("no customer", batch=batch, position=1)
    ExecutionFactory.create(batch=batch, position=2, status="succeeded", finished_at=now())
    before = admin_client.get(OVERVIEW).context["page"]
    assert len(before.errors.rows) == len(before.trouble.rows) == 1

    mark(ignored, "ignored")

    response = admin_client.get(OVERVIEW)
    after = response.context["page"]
    assert not after.errors.rows
    assert after.errors.closed == 1
    assert not after.trouble.rows
    assert "1 kind resolved or ignored" in response.content.decode()


def test_a_batch_with_other_failures_still_needs_attention(admin_client: Client) -> None:
    batch = BatchFactory.create(total=2, failed=2, finished_at=now())
    mark(fail("no customer", batch=batch), "ignored")
    fail("no stock", batch=batch, position=1)

    page = admin_client.get(OVERVIEW).context["page"]

    assert [words for _state, words in page.trouble.rows[0].reasons] == ["1 failed (50 %)"]


def test_one_is_shown_alone_whatever_its_state(admin_client: Client) -> None:
    failed = fail("no customer")
    mark(failed, "ignored")
    fail("no stock")

    page, _text = shown(admin_client, f"?error={failed.error_fingerprint}")

    assert messages(page) == ["no customer"]


def test_the_pages_of_batches_and_the_overview_lead_to_it(admin_client: Client) -> None:
    batch = flood(100, scene=Scene(failing=0.2))
    failed = batch.executions.filter(status="failed").earliest("position")
    link = f"{ADDRESS}?error={failed.error_fingerprint}"

    page = reverse("admin:django_agenda_batch_change", args=[batch.pk])
    assert link in admin_client.get(page).content.decode()
    assert link in admin_client.get(OVERVIEW).content.decode()
    assert ADDRESS in admin_client.get("/admin/").content.decode()


def test_without_the_right_to_see_it_nothing_leads_to_it(client_for: ClientFor) -> None:
    batch = flood(100, scene=Scene(failing=0.2))
    client = client_for("view_batch", "view_execution", "view_overview")

    page = reverse("admin:django_agenda_batch_change", args=[batch.pk])

    assert "/errorgroup/" not in client.get(page).content.decode()
    assert "/errorgroup/" not in client.get(OVERVIEW).content.decode()
    assert client.get(ADDRESS).status_code == 403


def test_links_are_only_to_what_the_user_may_see(client_for: ClientFor) -> None:
    flood(100, scene=Scene(failing=0.2))

    page, text = shown(client_for("view_errorgroup"))

    assert page.rows
    assert "/django_agenda/execution/" not in text
    assert "/django_agenda/batch/" not in text
    assert "/do/" not in text


def test_the_fragment_is_the_page_without_its_frame(admin_client: Client) -> None:
    fail("no customer")

    response = admin_client.get(LIVE, {"state": "all"})

    assert "no customer" in response.content.decode()
    assert "<html" not in response.content.decode()
    again = admin_client.get(LIVE, {"state": "all"}, headers={"if-none-match": response["ETag"]})
    assert again.status_code in (200, 304)  # a tick may have passed


def test_the_words_of_an_error_lead_to_its_latest_traceback(
    admin_client: Client, client_for: ClientFor
) -> None:
    newest = fail("no address")
    fail("no address", ago=timedelta(hours=2))
    address = reverse("admin:django_agenda_execution_change", args=[newest.pk])

    page, text = shown(admin_client)

    assert page.rows[0].sample_url == address
    assert f'<a href="{address}"><code>no address</code></a>' in text
    assert address not in shown(client_for("view_errorgroup"))[1]


def fill(total: int) -> None:
    Batch.objects.all().delete()
    flood(total // 2, scene=Scene(failing=0.3))
    moment = now()
    Execution.objects.bulk_create(
        Execution(
            task_name="shop.tasks.send",
            status="failed",
            due_at=moment,
            finished_at=moment - timedelta(minutes=number),
            error_message=f"kind {number % 700}",
            error_fingerprint=f"{number % 700:016x}",
        )
        for number in range(total // 2)
    )


def test_it_asks_the_same_for_ten_and_ten_thousand(admin_client: Client) -> None:
    counts = []
    for total in (10, 10_000):
        fill(total)
        with CaptureQueriesContext(connection) as captured:
            shown(admin_client)
        counts.append(len(captured))

    page, _text = shown(admin_client)
    assert counts[0] == counts[1] <= 8
    assert len(page.rows) == 50
    assert page.more > 400


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite has no statistics")
def test_no_statement_reads_all_executions(admin_client: Client) -> None:
    fill(10)
    with CaptureQueriesContext(connection) as captured:
        shown(admin_client)
    plans = []
    for one in captured.captured_queries:
        if '_execution"' in one["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {one['sql']}")
                plans += [row[3] for row in cursor.fetchall()]

    reads = [step for step in plans if "django_agenda_execution" in step]
    assert reads
    assert not [
        step for step in reads if step.startswith("SCAN") and "agenda_exec_errors" not in step
    ]
