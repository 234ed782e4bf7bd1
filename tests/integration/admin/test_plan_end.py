"""Where a batch was moved to counts for what is late, not the window that it had at first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Strike
from tests.factories import BatchFactory, ExecutionFactory

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OVERVIEW = reverse("admin:django_agenda_overview_changelist")

pytestmark = pytest.mark.django_db


def waiting(start: Any, over: timedelta, total: int = 4) -> Batch:
    batch = BatchFactory.create(name="Wave", start=start, over=over)
    for position in range(total):
        planned = position * (over / timedelta(milliseconds=1)) // (total - 1)
        ExecutionFactory.create(
            batch=batch,
            position=position,
            due_at=start + timedelta(milliseconds=planned),
            planned_offset_ms=planned,
            slot_offset_ms=planned,
        )
    Batch.objects.filter(pk=batch.pk).update(
        total=total, scheduled=total, enqueued=total, told_until=total, finished_at=None
    )
    batch.refresh_from_db()
    return batch


def page_of(client: Client, batch: Batch) -> Any:
    return client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk])).context["page"]


def reasons(client: Client) -> list[str]:
    rows = client.get(OVERVIEW).context["page"].trouble.rows
    return [str(words) for row in rows for _state, words in row.reasons]


def test_after_a_spread_resume_the_window_is_over_when_that_spread_is(
    admin_client: Client,
) -> None:
    batch = waiting(now() - 2 * HOUR, HOUR)
    assert reasons(admin_client) == ["over for 1 h, 4 left"]
    batch.pause()

    batch.resume(over=10 * MINUTE)

    facts = dict(page_of(admin_client, batch).facts)
    assert "Over for" not in facts
    assert facts["Left"].startswith(("9 min", "10 min"))
    assert reasons(admin_client) == []


def test_after_a_shorter_respread_less_time_is_left(admin_client: Client) -> None:
    batch = waiting(now() - 10 * MINUTE, HOUR)

    batch.respread(5 * MINUTE)

    facts = dict(page_of(admin_client, batch).facts)
    assert facts["Left"].startswith(("4 min", "5 min"))
    last = Execution.objects.filter(batch=batch).latest("due_at").due_at
    assert last.isoformat(timespec="seconds")[:16] in facts["To"]
    row = admin_client.get(OVERVIEW).context["page"].others.rows[0]
    assert row.distance.startswith(("4 min", "5 min"))


def test_a_batch_that_was_not_moved_keeps_its_window(admin_client: Client) -> None:
    batch = waiting(now() - 10 * MINUTE, HOUR)
    Execution.objects.filter(batch=batch).update(planned_offset_ms=0, slot_offset_ms=0)

    assert dict(page_of(admin_client, batch).facts)["Left"].startswith(("49 min", "50 min"))


def test_what_a_strike_holds_is_not_late(admin_client: Client) -> None:
    batch = waiting(now() - 2 * HOUR, HOUR)
    one = Strike.objects.create(task_name="shop.tasks.charge", fingerprint="a")
    Execution.objects.filter(batch=batch).update(held_by=one.held_by)

    assert reasons(admin_client) == ["4 held by strikes"]
