"""Moments at the ends of time: forms refuse them, and a row that has one breaks no page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from django_agenda.models import Batch, Execution, Schedule
from tests.factories import BatchFactory, ExecutionFactory, ScheduleFactory

pytestmark = pytest.mark.django_db

FIRST, LAST = (edge.replace(tzinfo=UTC) for edge in (datetime.min, datetime.max))
# A day ahead of UTC, and half a day behind it.
ZONES = ("Pacific/Kiritimati", "Etc/GMT+12")


def do_url(row: Model, slug: str) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_do", args=[row.pk, slug])


def pages_of(*rows: Model) -> list[str]:
    start, found = "admin:django_agenda", [reverse("admin:django_agenda_overview_changelist")]
    for row in rows:
        found.append(reverse(f"{start}_{row._meta.model_name}_changelist"))
        found.append(reverse(f"{start}_{row._meta.model_name}_change", args=[row.pk]))
    return found


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("field", ["at", "starts_at", "ends_at"])
def test_no_schedule_is_made_of_what_is_too_far(
    admin_client: Client, moment: str, field: str
) -> None:
    sent = {"task": "tests.tasks.nothing", "kind": "once", "timezone": "UTC", "catch_up": "1"}
    sent |= {"at": "2031-01-01T00:00", "overlap": "skip", "misfire": "once", "save": "1"}

    answer = admin_client.post(reverse("admin:django_agenda_schedule_add"), sent | {field: moment})

    assert "This is too far from now." in answer.content.decode()
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("field", ["interval", "jitter"])
def test_no_schedule_takes_longer_than_a_column_holds(admin_client: Client, field: str) -> None:
    sent = {"task": "tests.tasks.nothing", "kind": "interval", "timezone": "UTC", "catch_up": "1"}
    sent |= {"interval": "60", "overlap": "skip", "misfire": "once", "save": "1"}
    most = str(timedelta.max // timedelta(seconds=1))

    answer = admin_client.post(reverse("admin:django_agenda_schedule_add"), sent | {field: most})

    assert "is too long" in answer.content.decode()
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"how": "at", "at": "0001-01-01T00:00"}, "This is too far from now."),
        ({"how": "at", "at": "9999-12-31T23:59"}, "This is too far from now."),
        *(
            ({"how": how, "amount": "999999999.999", "unit": "days"}, "This is too long.")
            for how in ("later", "earlier", "over")
        ),
    ],
)
def test_nothing_is_rescheduled_to_what_is_too_far(
    admin_client: Client, fields: dict[str, Any], words: str
) -> None:
    row: Execution = ExecutionFactory.create()

    answer = admin_client.post(do_url(row, "reschedule"), fields)

    assert words in answer.content.decode()
    assert Execution.objects.get(pk=row.pk).due_at == row.due_at


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("edge", [FIRST, LAST])
def test_a_schedule_at_the_end_of_time_breaks_no_page(
    admin_client: Client, settings: Any, zone: str, edge: datetime
) -> None:
    settings.TIME_ZONE = zone
    row: Schedule = ScheduleFactory.create(
        kind=Schedule.Kind.ONCE, anchor=edge, interval=None, next_at=edge, timezone=zone
    )

    for address in pages_of(row):
        assert admin_client.get(address).status_code == 200, address


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("edge", [FIRST, LAST - timedelta(hours=1)])
def test_a_batch_at_the_end_of_time_breaks_no_page(
    admin_client: Client, settings: Any, zone: str, edge: datetime
) -> None:
    settings.TIME_ZONE = zone
    batch: Batch = BatchFactory.create(
        start=edge, over=timedelta(minutes=50), total=1, scheduled=1, finished_at=None
    )
    row: Execution = ExecutionFactory.create(batch=batch, due_at=edge)

    for address in pages_of(batch, row):
        assert admin_client.get(address).status_code == 200, address
