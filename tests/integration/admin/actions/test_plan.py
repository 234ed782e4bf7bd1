"""A new batch: a preview writes nothing, and what was previewed is what is scattered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from django_agenda import pause_queue, resume_queue
from django_agenda.admin import arguments_for
from django_agenda.admin.plan import fixed, sources
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests.conftest import RedisServer
from tests.factories import CALM, ExecutionFactory, WorkerFactory, flood
from tests.integration.admin.conftest import ClientFor

from .acting import message, page_url, to_come

ADD = reverse("admin:django_agenda_batch_add")
ADDING = {"task": "tests.tasks.add", "lines": "[1, 2]\n[3, 4]", "amount": "10", "unit": "minutes"}


def filled(**fields: Any) -> dict[str, Any]:
    return {**ADDING, "strategy": "even", **fields}


def preview(client: Client, **fields: Any) -> Any:
    response = client.post(ADD, {**filled(**fields), "preview": "yes"})
    assert response.status_code == 200
    return response


def errors(client: Client, **fields: Any) -> dict[str, list[str]]:
    response = preview(client, **fields)
    assert response.context["preview"] is None
    assert not Batch.objects.exists()
    found: dict[str, list[str]] = response.context["form"].errors
    return found


def confirm(client: Client, token: str, **fields: Any) -> Any:
    return client.post(ADD, {**filled(**fields), "previewed": token, "confirm": "yes"})


def token_of(response: Any) -> str:
    return str(response.context["preview"].token)


def shown_moments(response: Any) -> list[datetime]:
    found = response.context["preview"]
    return [
        datetime.fromisoformat(moment)
        for tag in (*found.first, *found.last)
        for moment in re.findall(r'datetime="([^"]+)"', tag)
    ]


def doubts(client: Client, **fields: Any) -> str:
    return " ".join(preview(client, **fields).context["preview"].doubts)


def test_the_form_offers_the_tasks_that_are_registered(admin_client: Client) -> None:
    page = admin_client.get(ADD).content.decode()

    assert '<option value="tests.tasks.add">' in page
    assert ADD in admin_client.get(reverse("admin:django_agenda_batch_changelist")).content.decode()


def test_a_preview_writes_nothing(admin_client: Client, redis_server: RedisServer) -> None:
    response = preview(admin_client, jitter="20", strategy="poisson", key="sums")

    assert "nothing has been written yet" in response.content.decode()
    assert len(shown_moments(response)) == 2
    assert not Batch.objects.exists()
    assert not Execution.objects.exists()
    assert not LogEntry.objects.exists()
    assert not list(redis_server.client.scan_iter())


@pytest.mark.parametrize("strategy", ["even", "random", "poisson", "ramp"])
def test_a_confirmation_scatters_exactly_what_was_previewed(
    admin_client: Client, strategy: str
) -> None:
    fields = {
        "lines": "\n".join(f"[{number}, 1]" for number in range(20)),
        "strategy": strategy,
        "jitter": "20",
    }
    seen = preview(admin_client, **fields)

    response = confirm(admin_client, token_of(seen), **fields)

    batch = Batch.objects.get()
    assert response["Location"] == page_url(batch)
    assert message(response).startswith("Scattered: 20 scheduled")
    due = sorted(batch.executions.values_list("due_at", flat=True))
    milliseconds = [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in due]
    assert milliseconds == shown_moments(seen)
    assert batch.strategy == strategy


def test_arguments_name_key_and_labels_arrive(admin_client: Client) -> None:
    fields = {
        "lines": '[1, {"$date": "2030-01-31"}]\r\n\r\n{"a": "\u2028", "b": null}\r\n',
        "name": "Sums",
        "key": "sums",
        "labels": "mail, shop ,",
        "seed": "7",
        "task": "tests.tasks.echo",
    }

    confirm(admin_client, token_of(preview(admin_client, **fields)), **fields)

    batch = Batch.objects.get()
    assert (batch.name, batch.key, batch.labels, batch.seed) == (
        "Sums",
        "sums",
        ["mail", "shop"],
        7,
    )
    first, second = batch.executions.order_by("position")
    assert str(first.args[1]) == "2030-01-31"
    assert (second.args, second.kwargs) == ([], {"a": "\u2028", "b": None})


def test_so_many_calls_without_arguments(admin_client: Client) -> None:
    fields = {"task": "tests.tasks.nothing", "lines": "", "count": "300", "amount": "0.5"}

    confirm(admin_client, token_of(preview(admin_client, **fields)), **fields)

    batch = Batch.objects.get()
    assert (batch.total, batch.over) == (300, timedelta(seconds=30))


def test_who_scattered_what_is_written_down(admin_client: Client) -> None:
    confirm(admin_client, token_of(preview(admin_client)))

    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_id) == (ADDITION, str(Batch.objects.get().pk))
    assert entry.change_message == "Scattered 2 calls of tests.tasks.add over 10 min."
    page = admin_client.get(page_url(Batch.objects.get())).content.decode()
    assert "Scattered 2 calls" in page


@pytest.mark.parametrize("fields", [{}, {"seed": "7"}, {"start": "2031-01-31T00:00"}])
def test_a_second_click_scatters_nothing(admin_client: Client, fields: dict[str, str]) -> None:
    token = token_of(preview(admin_client, **fields))
    first = confirm(admin_client, token, **fields)

    second = confirm(admin_client, token, **fields)

    assert Batch.objects.count() == LogEntry.objects.count() == 1
    assert message(second) == "This was scattered already: nothing was added."
    assert second["Location"] == first["Location"]
    # What is previewed anew is another one.
    assert confirm(admin_client, token_of(preview(admin_client, **fields)), **fields)
    assert Batch.objects.count() == 2


def test_the_same_start_and_seed_may_be_wanted_twice(admin_client: Client) -> None:
    fields = {"seed": "7", "start": "2031-01-31T00:00"}

    for _ in range(2):
        confirm(admin_client, token_of(preview(admin_client, **fields)), **fields)

    assert Batch.objects.count() == 2


def test_what_was_changed_since_the_preview_is_previewed_again(admin_client: Client) -> None:
    token = token_of(preview(admin_client))

    response = confirm(admin_client, token, amount="20")

    assert response.status_code == 200
    assert "Something was changed since the preview" in response.content.decode()
    assert not Batch.objects.exists()
    assert confirm(admin_client, token_of(response), amount="20").status_code == 302
    assert Batch.objects.get().over == timedelta(minutes=20)


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c", "\0", "x" * 100_000])
def test_a_confirmation_without_a_preview_is_one(admin_client: Client, token: str) -> None:
    response = confirm(admin_client, token)

    assert response.status_code == 200
    assert response.context["preview"].is_stale
    assert not Batch.objects.exists()


def test_a_preview_of_somebody_else_is_none(admin_client: Client, client_for: ClientFor) -> None:
    token = token_of(preview(admin_client))

    response = confirm(client_for("add_batch", "view_batch"), token)

    assert response.status_code == 200
    assert not Batch.objects.exists()


def test_an_old_preview_is_made_again(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(preview(admin_client))
    monkeypatch.setattr(fixed, "VALID_FOR", timedelta(seconds=-1))

    response = confirm(admin_client, token)

    assert response.context["preview"].is_stale
    assert not Batch.objects.exists()


def test_a_key_that_lives_is_refused(admin_client: Client) -> None:
    flood(10, key="sums", scene=CALM)

    response = preview(admin_client, key="sums")

    assert response.context["form"].errors["key"] == ["A living batch has this key."]


def test_a_key_that_was_taken_meanwhile_adds_nothing(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(preview(admin_client, key="sums"))
    batch = flood(10, key="sums", scene=CALM)
    monkeypatch.setattr(
        "django_agenda.admin.plan.form.PlanForm.clean_key", lambda form: form.cleaned_data["key"]
    )

    response = confirm(admin_client, token, key="sums")

    assert "A living batch has this key: nothing was added." in response.content.decode()
    assert list(Batch.objects.all()) == [batch]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("[1, 2]\n{nonsense}", "Line 2: {nonsense} – Expecting property name"),
        ("7", "Line 1: 7 – a call is a JSON list or object"),
        ("[1, 2, 3]", "Line 1: [1, 2, 3] – too many positional arguments"),
        ('{"a": 1}', "Line 1: {&quot;a&quot;: 1} – missing a required argument: &#x27;b&#x27;"),
        ("[1, NaN]", "Line 1: [1, NaN] – The JSON text holds NaN"),
        ('[1, "\\u0000"]', "has a NUL character"),
        ('[1, "\\ud800"]', "has a lone surrogate"),
        ('[1, {"$nonsense": 1}]', "The JSON text holds the unknown tag"),
        ("[" * 5000, "Line 1: [[[[[[[["),
        (f"[1, {'9' * 5000}]", "Line 1: [1, 9999"),
        ("\n".join(["x"] * 9), "4 more lines are wrong."),
    ],
)
def test_a_bad_line_is_named_with_its_value(admin_client: Client, lines: str, words: str) -> None:
    response = preview(admin_client, lines=lines)

    assert response.context["form"].errors.keys() == {"lines"}
    assert words in response.content.decode()
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"task": "tests.tasks.nonsense"}, "task", "No task is registered as tests.tasks.nonsense"),
        ({"task": "shutil.rmtree"}, "task", "No task is registered as shutil.rmtree"),
        ({"task": "tests.tasks.\0"}, "task", "Null characters are not allowed."),
        ({"lines": ""}, "lines", "Give one of the two"),
        ({"count": "3"}, "lines", "Give one of the two"),
        ({"lines": "", "count": "3"}, "count", "This task needs arguments"),
        ({"lines": "", "count": "10001"}, "count", "less than or equal to 10000"),
        ({"lines": "", "count": "9" * 5000}, "count", "Enter a whole number"),
        ({"lines": "", "count": "-1"}, "count", "greater than or equal to 1"),
        ({"lines": "[1, 2]\n" * 10_001}, "lines", "There are 10001 calls, and at most 10000"),
        ({"lines": "x" * 1_000_001}, "lines", "at most 1000000 characters"),
        ({"amount": ""}, "amount", "This field is required."),
        ({"amount": "0"}, "amount", "This must be more than nothing."),
        ({"amount": "-1"}, "amount", "greater than or equal to 0"),
        ({"amount": "NaN"}, "amount", "Enter a number."),
        ({"amount": "999999999", "unit": "days"}, "__all__", "after the year 9999"),
        ({"amount": "999999999.999", "unit": "days"}, "__all__", "after the year 9999"),
        ({"amount": "9999999999"}, "amount", "no more than 9 digits"),
        ({"unit": "fortnights"}, "unit", "fortnights is not one of the available choices"),
        ({"strategy": "nonsense"}, "strategy", "nonsense is not one of the available choices"),
        ({"start": "yesterday"}, "start", "Enter a valid date/time."),
        ({"start": "9999-12-31T23:59"}, "start", "This is too far from now."),
        ({"jitter": "601"}, "jitter", "This is longer than the window."),
        ({"seed": "9" * 30}, "seed", "less than or equal to"),
        ({"key": "k" * 256}, "key", "at most 255 characters"),
        ({"name": "n" * 256}, "name", "at most 255 characters"),
        ({"labels": "l" * 65}, "labels", "A label must have 1 to 64"),
    ],
)
def test_what_is_wrong_is_an_error_of_its_field(
    admin_client: Client, fields: dict[str, Any], name: str, words: str
) -> None:
    found = errors(admin_client, **fields)

    assert name in found
    assert words in " ".join(found[name])


def test_a_start_in_the_past_is_a_doubt(admin_client: Client) -> None:
    start = f"{now() - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}"

    assert "It begins in the past: 1 moment is over" in doubts(admin_client, start=start)


def test_a_pace_that_was_never_measured_is_a_doubt(admin_client: Client) -> None:
    moment = now() - timedelta(minutes=5)
    ExecutionFactory.create_batch(3, status="succeeded", due_at=moment, finished_at=moment)
    lines = "[1, 2]\n" * 50

    fast, slow = (doubts(admin_client, lines=lines, amount=over) for over in ("5", "50"))

    assert "its fullest minute has 10, and in the last 3 hours no more than 3 ended" in fast
    assert "measured" not in slow


def test_paused_queues_and_batches_are_doubts(admin_client: Client) -> None:
    pause_queue("default")
    batch = to_come()
    batch.pause()

    found = doubts(admin_client, amount="600")

    assert "The queue default is paused" in found
    assert "A paused batch has its window at the same time: Newsletter." in found
    other = doubts(admin_client, amount="1", task="tests.tasks.mail", lines="[1]")
    assert "paused" not in other
    resume_queue("default")


def test_what_else_is_planned_is_a_doubt(admin_client: Client) -> None:
    ExecutionFactory.create_batch(3, due_at=now() + timedelta(minutes=5))

    assert "3 other executions are planned in this window." in doubts(admin_client)
    assert "planned" not in doubts(admin_client, amount="1")


def test_a_pace_that_is_too_high_with_what_is_planned_already_is_a_doubt(
    admin_client: Client,
) -> None:
    over = now() - timedelta(minutes=5)
    ExecutionFactory.create_batch(6, status="succeeded", due_at=over, finished_at=over)
    # One every 12 s: five in each minute, wherever the clock is.
    lines = "[1, 2]\n" * 51
    plan = {"lines": lines, "amount": "10"}
    assert "measured" not in doubts(admin_client, **plan)

    ExecutionFactory.create_batch(9, due_at=now() + timedelta(minutes=5))

    found = doubts(admin_client, **plan)
    assert "With what is planned already it is faster than what was measured" in found
    assert "of both has 14" in found
    assert "and in the last 3 hours no more than 6 ended in a minute" in found
    assert "9 other executions are planned in this window." in found


def test_that_nobody_works_is_a_doubt(admin_client: Client) -> None:
    assert "No worker is alive." in doubts(admin_client)

    WorkerFactory.create(beat_at=now())

    assert not doubts(admin_client)


@pytest.mark.parametrize(
    "rights", [(), ("view_batch",), ("add_batch",), ("view_batch", "control_batch")]
)
def test_without_the_right_there_is_no_form(client_for: ClientFor, rights: tuple[str, ...]) -> None:
    client = client_for(*rights)

    assert client.get(ADD).status_code == 403
    assert client.post(ADD, filled()).status_code == 403


def test_read_only_admins_have_no_form(admin_client: Client, configure: Any) -> None:
    configure(ADMIN_READ_ONLY=True)

    assert admin_client.get(ADD).status_code == 403
    assert confirm(admin_client, "").status_code == 403
    assert ADD not in admin_client.get("/admin/").content.decode()


def test_without_its_token_the_form_is_refused(admin_client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin_client.cookies

    assert confirm(strict, "").status_code == 403


def test_the_largest_plan_is_scattered(admin_client: Client) -> None:
    fields = {"task": "tests.tasks.nothing", "lines": "", "count": "10000"}

    response = confirm(admin_client, token_of(preview(admin_client, **fields)), **fields)

    assert response.status_code == 302
    assert Execution.objects.count() == 10_000


@pytest.fixture
def offered() -> Iterator[list[Any]]:
    """Offer a source, and return what it will give."""
    given: list[Any] = [(1, 2), {"a": 3, "b": 4}]

    @arguments_for("tests.tasks.add", "Pairs that wait")
    def pairs(request: HttpRequest) -> list[Any]:
        assert request.user.is_authenticated
        return given

    yield given
    sources._sources.clear()


SOURCE = "tests.integration.admin.actions.test_plan.offered.<locals>.pairs"
FROM_SOURCE = {"source": SOURCE, "task": "", "lines": ""}


def test_a_project_offers_calls_by_name(admin_client: Client, offered: list[Any]) -> None:
    assert "Pairs that wait" in admin_client.get(ADD).content.decode()
    seen = preview(admin_client, **FROM_SOURCE)
    assert seen.context["preview"].many == 2

    assert confirm(admin_client, token_of(seen), **FROM_SOURCE).status_code == 302

    rows = Batch.objects.get().executions.order_by("position")
    assert [(row.task_name, row.args, row.kwargs) for row in rows] == [
        ("tests.tasks.add", [1, 2], {}),
        ("tests.tasks.add", [], {"a": 3, "b": 4}),
    ]


def test_what_a_source_gives_by_then_is_previewed_again(
    admin_client: Client, offered: list[Any]
) -> None:
    seen = preview(admin_client, **FROM_SOURCE)
    offered[0] = (5, 6)

    again = confirm(admin_client, token_of(seen), **FROM_SOURCE)

    assert again.context["preview"].is_stale
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("given", "fields", "name", "words"),
    [
        ([], {}, "source", "nothing to call"),
        ([(1, 2)] * 10_001, {}, "source", "more than the 10000"),
        ([(1, 2), (1,)], {}, "source", "Call 2: missing a required argument"),
        ([object()], {}, "source", "Call 1: "),
        ([(1, 2)], {"task": "tests.tasks.echo"}, "task", "another task"),
        ([(1, 2)], {"lines": "[1, 2]"}, "lines", "chosen above"),
        ([(1, 2)], {"count": "2"}, "lines", "chosen above"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(
    admin_client: Client,
    offered: list[Any],
    given: list[Any],
    fields: dict[str, str],
    name: str,
    words: str,
) -> None:
    offered[:] = given

    assert words in str(errors(admin_client, **{**FROM_SOURCE, **fields})[name])


def test_without_an_offer_there_is_nothing_to_choose(admin_client: Client) -> None:
    assert "source" not in admin_client.get(ADD).context["form"].fields
    assert "task" in errors(admin_client, **FROM_SOURCE)
