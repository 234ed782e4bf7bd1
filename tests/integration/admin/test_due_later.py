"""What is tried again after its batch's window is told, and is not late before its moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.admin.batches.outlook import read_backlog
from django_agenda.admin.due_later import hang_later, later_of
from django_agenda.admin.wording import clock_time
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests.factories import Scene, flood

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OVERVIEW = reverse("admin:django_agenda_overview_changelist")
LIST = reverse("admin:django_agenda_batch_changelist")
FAILED: Any = {"outage": None, "refused": 0, "failing": 0.4, "missing": 0, "cancelled": 0}

pytestmark = pytest.mark.django_db


def retried(elapsed: float = 2, over: timedelta = 2 * HOUR, **fields: Any) -> Batch:
    """Make a batch with a window of an hour, whose failures are tried again from a minute on."""
    batch = flood(20, over=HOUR, scene=Scene(elapsed=elapsed, **FAILED), **fields)
    Execution.objects.filter(batch=batch, status="failed").retry(over, now() + MINUTE)
    batch.refresh_from_db()
    return batch


def again(batch: Batch) -> Any:
    return Execution.objects.filter(batch=batch, status="scheduled", due_at__gt=batch.end)


def words(batch: Batch) -> str:
    last = clock_time(again(batch).latest("due_at").due_at, now(), seconds=False)
    return f"{again(batch).count()} are due after the window, until {last}"


def address(batch: Batch) -> str:
    return reverse("admin:django_agenda_batch_change", args=[batch.pk])


def page_of(client: Client, batch: Batch) -> Any:
    return client.get(address(batch)).context["page"]


def test_its_page_counts_down_to_the_last_of_them(admin_client: Client) -> None:
    batch = retried()

    page = page_of(admin_client, batch)

    facts = {name: str(value) for name, value in page.facts}
    assert page.later == words(batch)
    assert "Over for" not in facts
    assert facts["Left"].startswith(("2 h", "1 h 59 min"))
    assert "3 h 1 min after the window" in facts["Expected end"]
    assert words(batch) in admin_client.get(address(batch)).content.decode()


def test_within_the_window_it_is_told_as_well(admin_client: Client) -> None:
    batch = retried(elapsed=0.9, over=5 * HOUR)

    page = page_of(admin_client, batch)

    assert page.later == words(batch)
    assert dict(page.facts)["Left"].startswith(("5 h", "4 h 5"))
    assert "after the window" in dict(page.facts)["Expected end"]


def test_the_overview_calls_nothing_late_that_is_not_due(admin_client: Client) -> None:
    batch = retried()

    page = admin_client.get(OVERVIEW).context["page"]

    assert not page.trouble.rows
    assert [row.distance for row in page.others.rows] == [words(batch)]


def test_what_is_overdue_is_late_all_the_same(admin_client: Client) -> None:
    batch = retried()
    first = again(batch).earliest("due_at")
    Execution.objects.filter(pk=first.pk).update(due_at=now() - MINUTE)

    (row,) = admin_client.get(OVERVIEW).context["page"].trouble.rows
    page = page_of(admin_client, batch)

    assert [str(why) for _state, why in row.reasons] == ["over for 1 h, 1 left"]
    assert row.distance == page.later
    assert "Over for" in dict(page.facts)


def test_an_attempt_in_time_makes_its_batch_not_late(admin_client: Client) -> None:
    batch = retried()
    first, second = again(batch).order_by("due_at")[:2]
    Execution.objects.filter(pk=first.pk).update(status="running", due_at=now())
    Execution.objects.filter(pk=second.pk).update(due_at=now())
    Batch.objects.filter(pk=batch.pk).update(running=1, scheduled=F("scheduled") - 1)

    page = admin_client.get(OVERVIEW).context["page"]

    assert not page.trouble.rows


def test_the_rate_of_idle_hours_foretells_no_end(admin_client: Client) -> None:
    batch = retried(elapsed=6)
    first = again(batch).earliest("due_at")
    Execution.objects.filter(pk=first.pk).update(due_at=now() - MINUTE)

    facts = dict(page_of(admin_client, batch).facts)

    assert "Over for" in facts
    assert "Expected end" not in facts


def test_the_list_says_so_too(admin_client: Client) -> None:
    batch = retried()

    assert words(batch) in admin_client.get(LIST).content.decode()


def test_what_is_held_has_no_moment(admin_client: Client) -> None:
    batch = retried()
    again(batch).pause()

    assert page_of(admin_client, batch).later == ""
    assert "after the window" not in admin_client.get(LIST).content.decode()


def test_a_batch_that_nothing_was_retried_of_says_nothing(admin_client: Client) -> None:
    batch = flood(20, over=HOUR, scene=Scene(elapsed=0.5, **FAILED))

    assert page_of(admin_client, batch).later == ""


def test_it_is_asked_once_of_however_many_batches() -> None:
    batches = [retried() for _ in range(3)]

    with CaptureQueriesContext(connection) as captured:
        hang_later(Execution.objects.all(), batches, now())

    assert len(captured) == 1
    assert [later_of(batch).many for batch in batches] == [  # type: ignore[union-attr]
        again(batch).count() for batch in batches
    ]


def test_of_large_batches_it_is_counted_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = retried()
    monkeypatch.setattr(Batch, "LARGE", 1)
    found = []

    for most in (1, 0):
        with CaptureQueriesContext(connection) as captured:
            hang_later(Execution.objects.all(), [batch], now())
        assert len(captured) == most
        found.append(later_of(batch))

    assert found[0] is not None
    assert found[0] == found[1]
    hang_later(Execution.objects.none(), [batch], now())


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite has no statistics")
def test_an_index_knows_what_waits_of_a_batch() -> None:
    batch = retried()
    with CaptureQueriesContext(connection) as captured:
        hang_later(Execution.objects.all(), [batch], now())
        read_backlog(batch, Execution.objects.filter(batch=batch), batch.end, now())

    plans = []
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plans.append(str(cursor.fetchall()))
    index = "agenda_exec_outcome (batch_id=? AND status=?"
    assert [index in plan for plan in plans] == [True, True]
    assert f"{index} AND planned_offset_ms<?)" in plans[1]
