"""Making and changing a schedule in the admin: a preview first, and every error at its field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from django_agenda.models import Schedule
from tests import tasks
from tests.integration.admin.actions.acting import list_url, page_url

pytestmark = pytest.mark.django_db

ADD = "admin:django_agenda_schedule_add"
RIGHT: dict[str, Any] = {
    "name": "Report",
    "task": "tests.tasks.echo",
    "args": "[1, 2]",
    "kind": "cron",
    "expression": "0 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "overlap": "skip",
    "misfire": "once",
    "catch_up": "100",
    "enabled": "on",
}


def send(client: Client, address: str, button: str = "save", **changes: Any) -> Any:
    return client.post(address, {**RIGHT, **changes, button: "1"})


def breadcrumbs(page: str) -> str:
    return page.partition("breadcrumbs")[2].partition("</nav>")[0].partition("</div>")[0]


def edit_url(schedule: Schedule) -> str:
    return reverse("admin:django_agenda_schedule_edit", args=[schedule.pk])


def test_the_form_is_reached_from_the_list_and_from_the_page(admin_client: Client) -> None:
    schedule = Schedule.objects.interval(tasks.nothing, timedelta(hours=1))
    assert reverse(ADD) in admin_client.get(list_url(Schedule)).content.decode()
    assert edit_url(schedule) in admin_client.get(page_url(schedule)).content.decode()
    form = admin_client.get(reverse(ADD))
    assert form.status_code == 200
    assert "None" not in breadcrumbs(form.content.decode())
    assert "Add a schedule" in breadcrumbs(form.content.decode())


def test_every_field_is_in_one_group(admin_client: Client) -> None:
    form = admin_client.get(reverse(ADD)).context["form"]
    grouped = [field.name for _title, fields in form.groups() for field in fields]
    assert sorted(grouped) == sorted(form.fields)


def test_a_preview_shows_ten_runs_and_saves_nothing(admin_client: Client) -> None:
    page = send(admin_client, reverse(ADD), "preview").content.decode()
    assert page.count("<tr><th scope") == 10 + 1
    assert ", 09:00:00" in page
    assert not Schedule.objects.exists()


def test_what_is_right_is_saved_and_written_down(admin_client: Client) -> None:
    response = send(admin_client, reverse(ADD), labels="nightly, mail", over="60", timeout="2.5")
    schedule = Schedule.objects.get()
    assert response["Location"] == page_url(schedule)
    assert (schedule.args, schedule.kwargs, schedule.labels) == ([1, 2], {}, ["nightly", "mail"])
    assert schedule.terms == {"over": timedelta(seconds=60), "timeout": timedelta(seconds=2.5)}
    assert schedule.next_at is not None
    assert LogEntry.objects.get().object_repr == "Report"
    # The same again is the same schedule.
    send(admin_client, reverse(ADD), labels="nightly, mail")
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"expression": "61 * * * *"}, "expression", ">“61 * * * *” is no cron expression"),
        ({"expression": ""}, "expression", "needed for what is chosen"),
        ({"timezone": "Mars/Base"}, "timezone", "Mars/Base"),
        ({"task": "os.system"}, "task", "not registered"),
        ({"kind": "interval", "interval": "0"}, "interval", "positive"),
        ({"kind": "interval", "interval": "-3"}, "interval", "positive"),
        ({"kind": "interval", "interval": ""}, "interval", "needed for what is chosen"),
        ({"kind": "interval", "interval": "1e300"}, "interval", "too long"),
        ({"kind": "once", "at": ""}, "at", "needed for what is chosen"),
        ({"kind": "once", "at": "soon"}, "at", "valid date"),
        ({"args": "{"}, "args", "Expecting"),
        ({"kwargs": "[1]"}, "kwargs", "must be a JSON"),
        ({"priority": "101"}, "priority", "101"),
        ({"max_runs": "0"}, "max_runs", "at least 1"),
        ({"jitter": "-1"}, "jitter", "positive"),
        ({"queue_name": "A b"}, None, "queue name"),
        ({"starts_at": "2030-02-01T00:00", "ends_at": "2030-01-01T00:00"}, "ends_at", "before"),
    ],
)
def test_an_error_is_shown_at_its_field_and_nothing_is_saved(
    admin_client: Client, changes: dict[str, str], field: str | None, words: str
) -> None:
    response = send(admin_client, reverse(ADD), **changes)
    assert response.status_code == 200
    errors = response.context["form"].errors
    assert list(errors) == [field or "__all__"]
    assert words in str(errors)
    assert not Schedule.objects.exists()


def test_a_changed_rule_gives_another_next_run_and_keeps_the_runs(admin_client: Client) -> None:
    schedule = Schedule.objects.cron(tasks.echo, "@daily", args=["nobody-else"], name="Report")
    Schedule.objects.update(runs=7)
    page = admin_client.get(edit_url(schedule)).content.decode()
    assert "nobody-else" not in page
    assert 'value="0 0 * * *"' in page

    response = send(admin_client, edit_url(schedule), args="", expression="0 5 * * *")

    assert response.status_code == 302
    schedule.refresh_from_db()
    assert (schedule.expression, schedule.args, schedule.runs) == ("0 5 * * *", ["nobody-else"], 7)
    assert schedule.next_at == schedule.next_times(1)[0]
    assert (
        Schedule.objects.cron(
            tasks.echo, "0 5 * * *", timezone="Europe/Berlin", args=["nobody-else"], name="Report"
        )
        == schedule
    )


def test_what_the_form_does_not_ask_for_stays_and_so_does_the_grid(admin_client: Client) -> None:
    schedule = Schedule.objects.interval(tasks.echo, 3600, backoff=3, name="Report")
    fields = {"kind": "interval", "interval": "3600", "args": "", "timeout": "5"}
    assert send(admin_client, edit_url(schedule), **fields).status_code == 302
    fresh = Schedule.objects.get()
    assert fresh.terms == {"timeout": timedelta(seconds=5), "backoff": timedelta(seconds=3)}
    assert (fresh.anchor, fresh.next_at) == (schedule.anchor, schedule.next_at)


def test_what_another_schedule_says_already_is_refused(admin_client: Client) -> None:
    send(admin_client, reverse(ADD))
    other = Schedule.objects.cron(tasks.echo, "@daily", args=[1, 2], name="Report")
    response = send(admin_client, edit_url(other))
    assert "Another schedule says the same already." in response.content.decode()
    other.refresh_from_db()
    assert other.expression == "0 0 * * *"


def test_what_code_declares_is_changed_there(admin_client: Client) -> None:
    schedule = Schedule.objects.interval(tasks.nothing, timedelta(hours=1))
    Schedule.objects.update(is_declared=True)
    assert edit_url(schedule) not in admin_client.get(page_url(schedule)).content.decode()
    assert admin_client.get(edit_url(schedule)).status_code == 403
