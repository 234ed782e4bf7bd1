"""Strikes in the admin: made by a form, restored after a question, and told on other pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda import Agenda, schedule, strike
from django_agenda.clock import now
from django_agenda.models import Execution, Strike
from tests import tasks
from tests.integration.admin.actions.acting import list_url, log_of, message, page_url

from .conftest import ClientFor

ADD = "admin:django_agenda_strike_add"
RIGHT = {
    "task": "tests.tasks.add",
    "parameter": "a",
    "operator": "==",
    "value": "7",
    "reason": "a complaint",
}
SURE = {"confirmed": "yes"}
NO_HTML = {"&#x27;": "'", "&quot;": '"', "&gt;": ">"}

pytestmark = pytest.mark.usefixtures("redis_server")


def text_of(response: Any) -> str:
    text = response.content.decode()
    for code, sign in NO_HTML.items():
        text = text.replace(code, sign)
    return str(text)


def restore_url(one: Strike) -> str:
    return reverse("admin:django_agenda_strike_restore", args=[one.pk])


def test_an_empty_list_says_what_strikes_are(admin_client: Client) -> None:
    page = text_of(admin_client.get(list_url(Strike)))
    assert "No strike stands" in page
    assert reverse(ADD) in page


def test_the_form_strikes_and_writes_down_who_and_why(admin_client: Client) -> None:
    assert "From now on nothing that matches is started" in text_of(admin_client.get(reverse(ADD)))

    schedule(tasks.add, after=3600)(7, 0)
    schedule(tasks.add, after=3600)(8, 0)
    asks = text_of(admin_client.post(reverse(ADD), RIGHT))
    assert "<dt>wait now, and are held as they come due</dt><dd>1</dd>" in asks
    assert '<input type="hidden" name="value" value="7">' in asks
    assert not Strike.objects.exists()

    response = admin_client.post(reverse(ADD), RIGHT | SURE)

    one = Strike.objects.get()
    assert response["Location"] == page_url(one)
    assert message(response) == "Strike added: add where a == 7."
    assert (one.value, one.by, one.reason) == (7, "admin", "a complaint")
    assert log_of(one) == ["Struck. Reason: a complaint"]
    assert schedule(tasks.add, after=3600)(7, 0).held_by == one.held_by

    again = admin_client.post(reverse(ADD), RIGHT | SURE | {"value": "7.0"})
    assert again["Location"] == page_url(one)
    assert message(again) == "This strike stands already."


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"task": "no.such.task"}, "task", "'no.such.task' is not registered"),
        ({"parameter": "c"}, "parameter", "no argument of tests.tasks.add"),
        ({"operator": "between"}, "value", "must be a pair for 'between'"),
        ({"operator": ">", "value": ""}, "value", "has no order for '>'"),
        ({"value": "seven"}, "value", "This is no JSON"),
        ({"parameter": ""}, "value", "needs a 'parameter'"),
        ({"task": "", "parameter": "", "value": ""}, None, "pause the queues"),
        ({"operator": "in"}, "operator", "Select a valid choice"),
    ],
)
def test_an_error_stands_at_its_field_and_nothing_is_saved(
    admin_client: Client, changes: dict[str, str], field: str | None, words: str
) -> None:
    confirmed = admin_client.post(reverse(ADD), RIGHT | SURE | changes)
    assert confirmed.context["form"].errors
    response = admin_client.post(reverse(ADD), RIGHT | changes)

    assert response.status_code == 200
    errors = response.context["form"].errors
    assert list(errors) == [field or "__all__"]
    assert words in str(errors.as_data())
    assert words in text_of(response)
    assert not Strike.objects.exists()


def test_restoring_asks_first_and_spreads(admin_client: Client) -> None:
    one = strike(tasks.add)
    hour = timedelta(hours=1)
    batch = Agenda()
    for number in range(3):
        batch.add(tasks.add)(number, 0)
    rows = batch.scatter(over=hour, start=now() - 2 * hour).executions

    asked = text_of(admin_client.get(restore_url(one)))
    assert "<dt>held</dt><dd>3</dd>" in asked
    assert Strike.objects.exists()
    wrong = admin_client.post(restore_url(one), {"amount": "-1", "unit": "hours"})
    assert wrong.status_code == 200

    done = admin_client.post(
        restore_url(one), {"amount": "2", "unit": "hours", "reason": "all is well"}
    )

    assert done["Location"] == list_url(Strike)
    assert message(done) == "Restored: 3 executions were let go."
    first, _, last = rows.order_by("position")
    assert last.due_at - first.due_at == 2 * hour
    said = "Restored, and let 3 go. (Spread evenly over: 2 hours) Reason: all is well"
    assert LogEntry.objects.get().change_message == said


def test_pages_tell_what_is_held(admin_client: Client) -> None:
    one = strike(tasks.add, "a", "==", 7)
    agenda = Agenda()
    for number in (7, 8):
        agenda.add(tasks.add)(number, 0)
    batch = agenda.scatter(over=timedelta(hours=1))
    row = batch.executions.get(position=0)

    assert "Held by the strike: add where a == 7." in text_of(admin_client.get(page_url(row)))
    page = text_of(admin_client.get(page_url(batch)))
    assert f"?held_by=strike+{one.pk}&amp;batch__id__exact={batch.pk}" in page
    assert "Struck: add where a == 7; 1 is held" in page
    assert '<p class="ag-sentence">2 scheduled of 2, 1 held by strikes</p>' in page
    assert "<b>1</b> held" in page
    page = text_of(admin_client.get(page_url(one)))
    assert "It holds 1 execution." in page
    listed = admin_client.get(list_url(Execution), {"held_by": one.held_by})
    assert [found.pk for found in listed.context["cl"].result_list] == [row.pk]
    assert "add where a == 7" in text_of(admin_client.get(list_url(Strike)))
    Strike.objects.all().delete()
    assert "a strike that was restored" in text_of(admin_client.get(page_url(row)))


def test_the_overview_warns_as_long_as_a_strike_stands(admin_client: Client) -> None:
    overview = reverse("admin:django_agenda_overview_changelist")
    words = "Struck: add; 0 are held"
    schedule(tasks.plain, after=3600)()
    assert words not in text_of(admin_client.get(overview))
    strike(tasks.add)
    assert words in text_of(admin_client.get(overview))


def test_the_condition_is_for_those_who_may_see_strikes(client_for: ClientFor) -> None:
    strike(tasks.add, "a", "==", 7)
    row = schedule(tasks.add, after=3600)(7, 0)

    page = text_of(client_for("view_execution").get(page_url(row)))

    assert "Held by a strike." in page
    assert "a == 7" not in page


def test_a_secret_value_is_shown_to_nobody(admin_client: Client) -> None:
    one = strike(tasks.fail_to_pay, "token", "==", "hush-hush")

    for url in (list_url(Strike), page_url(one), restore_url(one)):
        assert "hush-hush" not in text_of(admin_client.get(url))


def test_the_list_costs_as_much_for_many_as_for_few(admin_client: Client) -> None:
    counts = []
    for many in (2, 20):
        for number in range(many):
            strike(tasks.add, "a", "==", number)
        with CaptureQueriesContext(connection) as asked:
            admin_client.get(list_url(Strike))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_whoever_may_not_look_may_not_strike(client_for: ClientFor) -> None:
    assert client_for("add_strike").post(reverse(ADD), RIGHT).status_code == 403
    assert not Strike.objects.exists()
