"""What cannot be decoded, as a newer version wrote it that was taken back, is shown as that."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from django_agenda import Agenda, Call, schedule, strike
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Operation, Overview, Schedule, Strike
from tests import tasks
from tests.factories import ExecutionFactory
from tests.spoiling import spoil

from .actions.acting import done, list_url, page_url

pytestmark = pytest.mark.django_db

WORDS = "Cannot be decoded: written by a newer version"


@pytest.fixture
def batch() -> Batch:
    batch = Agenda([Call(tasks.plain, (n,)) for n in range(3)]).scatter(over=timedelta(hours=1))
    spoil(batch.executions.get(position=0))
    return batch


def test_the_page_of_a_batch_shows_the_others(admin_client: Client, batch: Batch) -> None:
    response = admin_client.get(page_url(batch))

    shown = [row.arguments for row in response.context["page"].table.rows]
    assert [words.startswith(WORDS[:50]) for words in shown] == [True, False, False]
    assert shown[1:] == ["[ 1 ]", "[ 2 ]"]


def test_an_execution_is_there_and_can_be_cancelled(admin_client: Client, batch: Batch) -> None:
    row = batch.executions.defer("args").get(position=0)

    page = admin_client.get(page_url(row))

    assert WORDS in page.context["page"].payload.args
    assert done(admin_client, row, "cancel") == "Cancelled 1 execution."
    row.refresh_from_db(fields=["status"])
    assert row.status == "cancelled"


def test_a_result_that_cannot_be_decoded_hides_nothing_else(admin_client: Client) -> None:
    row = ExecutionFactory.create(
        task_name="tests.tasks.plain", args=[7], status="succeeded", finished_at=now()
    )
    spoil(row, "return_value")

    payload = admin_client.get(page_url(row)).context["page"].payload

    assert payload.result.startswith(WORDS)
    assert "7" in payload.args


def test_what_is_no_id_is_gone_as_ever(admin_client: Client) -> None:
    response = admin_client.get(list_url(Execution) + "no-id/change/")

    assert response.status_code == 302


@pytest.mark.parametrize("column", Schedule.PAYLOAD)
def test_a_schedule_shows_what_cannot_be_decoded(admin_client: Client, column: str) -> None:
    schedule = Schedule.objects.cron(tasks.nothing, "0 9 * * *", name="Report")
    spoil(schedule, column)

    page = admin_client.get(page_url(schedule)).content.decode()

    assert WORDS in page
    assert "0 9 * * *" in page


def test_a_schedule_is_there_and_can_be_changed(admin_client: Client) -> None:
    schedule = Schedule.objects.cron(tasks.nothing, "0 9 * * *", name="Report")
    spoil(schedule)

    page = admin_client.get(page_url(schedule))

    assert WORDS in page.context["page"].payload[0]
    assert done(admin_client, schedule, "disable") == "Disabled 1 schedule."
    edit = reverse("admin:django_agenda_schedule_edit", args=[schedule.pk])
    initial = admin_client.get(edit).context["form"].initial
    fields = {name: value for name, value in initial.items() if value is not None}
    kept = admin_client.post(edit, {**fields, "save": "1"})
    assert kept.context["form"].errors["args"][0].startswith(WORDS)
    anew = admin_client.post(edit, {**fields, "save": "1", "args": "[]"})
    assert anew.status_code == 302
    assert Schedule.objects.get(pk=schedule.pk).args == []


def test_a_strike_is_listed_told_of_and_restored(admin_client: Client) -> None:
    made = strike(tasks.add, "a", "==", 3, reason="Their mistake")
    held = schedule(tasks.add)(3, 4)
    spoil(made, "value")

    for address in (list_url(Strike), list_url(Overview), page_url(made), page_url(held)):
        assert "add where a == ?" in admin_client.get(address).content.decode()
    output = StringIO()
    call_command("agenda_status", stdout=output)
    assert "add where a == ?" in output.getvalue()
    restore = reverse("admin:django_agenda_strike_restore", args=[made.pk])
    assert admin_client.post(restore, {"confirmed": "yes"}).status_code == 302
    assert not Strike.objects.exists()


def test_an_operation_is_there_and_breaks_no_page(admin_client: Client, batch: Batch) -> None:
    subjects: Any = [batch.pk]
    operation = Operation.objects.create(
        kind="retry", model="batch", subjects=subjects, total=3, status="running"
    )
    spoil(operation, "wish")

    for address in (list_url(Operation), page_url(operation), page_url(batch)):
        assert admin_client.get(address).status_code == 200
