"""Who may see what; nobody may change anything."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from factory.django import DjangoModelFactory

from django_agenda.admin import ExecutionAdmin
from django_agenda.models import Execution, Operation
from django_agenda.tasks import registry
from django_agenda.tasks.task import Task
from tests.factories import (
    CALM,
    TASK,
    BatchFactory,
    ExecutionFactory,
    Scene,
    ScheduleFactory,
    WorkerFactory,
    flood,
)

from .conftest import ClientFor

MODELS = ("batch", "execution", "worker")
FACTORIES: dict[str, type[DjangoModelFactory[Any]]] = {
    "batch": BatchFactory,
    "execution": ExecutionFactory,
    "worker": WorkerFactory,
}

pytestmark = pytest.mark.django_db


def address(model: str, kind: str = "changelist", *args: object) -> str:
    return reverse(f"admin:django_agenda_{model}_{kind}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_without_a_right_nothing_is_seen(client_for: ClientFor, model: str) -> None:
    row = FACTORIES[model].create()
    client = client_for()

    assert client.get(address(model)).status_code == 403
    assert client.get(address(model, "change", row.pk)).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_the_right_to_see_shows_lists_and_pages(client_for: ClientFor, model: str) -> None:
    row = FACTORIES[model].create()
    client = client_for(f"view_{model}")

    assert client.get(address(model)).status_code == 200
    assert client.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_not_even_an_administrator_changes_anything(admin_client: Client, model: str) -> None:
    row = FACTORIES[model].create()

    if model != "batch":
        assert admin_client.get(address(model, "add")).status_code == 403
    assert admin_client.post(address(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert admin_client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_a_row_that_is_gone_leads_back(admin_client: Client, model: str) -> None:
    for gone in ("9999", "nonsense", "00000000-0000-7000-8000-000000000000"):
        assert admin_client.get(address(model, "change", gone)).status_code == 302


def test_payloads_need_their_own_right(client_for: ClientFor) -> None:
    flood(100, scene=Scene(failing=1.0, refused=0, outage=None))
    execution = Execution.objects.filter(error_class="builtins.ValueError").earliest("position")
    page = address("execution", "change", execution.pk)

    client = client_for("view_execution", "view_batch")

    shown = client.get(page).content.decode()
    assert "reminder&quot;" not in shown
    assert "server.send_message" not in shown
    assert f"customer {execution.args[0]}" not in shown
    batch_page = client.get(address("batch", "change", execution.batch_id)).content.decode()
    assert f"customer {execution.args[0]}" not in batch_page


def send_reminder(number: int, template: str, api_token: str) -> None:
    """Stand for the task of the factories, known here."""


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._tasks, TASK, Task(send_reminder))


@pytest.mark.usefixtures("_known")
def test_with_the_right_payloads_are_shown_without_secrets(client_for: ClientFor) -> None:
    flood(100, scene=Scene(failing=1.0, refused=0, outage=None))
    execution = Execution.objects.filter(error_class="builtins.ValueError").earliest("position")

    client = client_for("view_execution", "view_payload")

    shown = client.get(address("execution", "change", execution.pk)).content.decode()
    assert "reminder&quot;" in shown
    assert "server.send_message" in shown
    assert f"customer {execution.args[0]}" in shown
    assert "s3cr3t" not in shown


@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize("right", ["view_payload", "view_worker"])
def test_the_table_of_a_batch_tells_executions_apart_by_what_one_may_see(
    client_for: ClientFor, right: str
) -> None:
    batch = flood(10, scene=Scene(refused=0, outage=None))
    execution = batch.executions.earliest("position")

    client = client_for("view_batch", "view_execution", right)

    shown = client.get(address("batch", "change", batch.pk)).content.decode()
    assert f"send_reminder …{str(execution.pk)[-6:]}" in shown
    assert ("reminder&quot;" in shown) == (right == "view_payload")
    assert "s3cr3t" not in shown


def test_of_a_task_that_is_unknown_here_no_argument_is_shown(client_for: ClientFor) -> None:
    flood(100, scene=Scene(failing=1.0, refused=0, outage=None))
    execution = Execution.objects.filter(error_class="builtins.ValueError").earliest("position")

    client = client_for("view_execution", "view_payload")

    shown = client.get(address("execution", "change", execution.pk)).content.decode()
    assert "reminder&quot;" not in shown
    assert "••••" in shown


def test_a_batch_without_the_right_to_see_executions_has_no_links_to_them(
    client_for: ClientFor,
) -> None:
    batch = flood(50, scene=Scene(failing=0.3))

    page = client_for("view_batch").get(address("batch", "change", batch.pk)).content.decode()

    assert "/django_agenda/execution/" not in page
    assert 'id="executions"' not in page


@pytest.mark.parametrize(
    "query",
    [
        "traceback__contains=s3cr3t",
        "args__contains=1",
        "kwargs__regex=s3.*",
        "return_value__isnull=1",
        "error_message__startswith=no",
        "batch__enqueue_error__contains=x",
        "attempt__traceback__contains=x",
    ],
)
def test_no_address_tells_what_the_page_hides(admin_client: Client, query: str) -> None:
    ExecutionFactory.create(traceback="s3cr3t")

    assert admin_client.get(f"{address('execution')}?{query}").status_code == 400


@pytest.mark.parametrize("model", ["batch", "execution"])
def test_no_search_tells_what_the_page_hides(client_for: ClientFor, model: str) -> None:
    batch = flood(5, scene=CALM)
    batch.executions.filter(position=3).update(
        error_class="builtins.ValueError",
        error_message="no address for 'ann'",
        error_fingerprint="0123456789abcdef",
    )
    client = client_for(f"view_{model}")

    def found(words: str) -> int:
        return len(client.get(address(model), {"q": words}).context["cl"].result_list)

    assert found("error:'ann'") == found("error:no address") == 0
    assert found("error:ValueError") == found("error:0123456789abcdef") == 1


@pytest.mark.parametrize("question", ["regex=(", "iregex=[", "range=1", "contains=x", "year=x"])
@pytest.mark.parametrize(
    ("model", "name"),
    [("execution", "worker"), ("execution", "queue_name"), ("worker", "status")],
)
def test_no_address_asks_what_a_database_stumbles_over(
    admin_client: Client, model: str, name: str, question: str
) -> None:
    FACTORIES[model].create()

    assert admin_client.get(f"{address(model)}?{name}__{question}").status_code == 400


def test_what_a_user_may_not_see_is_not_beside_it_either(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a project whose own ExecutionAdmin shows everybody their own."""
    batch, schedule = flood(3, scene=CALM), ScheduleFactory.create()
    batch.executions.update(task_name="theirs", key=None)
    mine = batch.executions.get(position=1)
    Execution.objects.filter(pk=mine.pk).update(task_name="mine")
    ExecutionFactory.create(schedule=schedule, task_name="theirs")
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda *_: Execution.objects.exclude(task_name="theirs")
    )

    page = admin_client.get(address("execution", "change", mine.pk)).content.decode()

    assert "mine" in page
    assert "theirs" not in page
    page_of_schedule = admin_client.get(address("schedule", "change", schedule.pk))
    assert page_of_schedule.context["page"].runs == []


def test_who_may_add_a_schedule_and_see_none_makes_none(client_for: ClientFor) -> None:
    client = client_for("add_schedule")

    assert client.get(address("schedule", "add")).status_code == 403
    assert client.post(address("schedule", "add"), {}).status_code == 403


def test_secrets_in_the_error_of_an_operation_are_hidden(client_for: ClientFor) -> None:
    refused = "Error 111 connecting to redis://shop:s3cr3tword@cache:6379"
    row = Operation.objects.create(kind="enqueue", model="batch", total=5, failed=5, error=refused)

    page = client_for("view_operation").get(address("operation", "change", row.pk))

    assert "Error 111" in page.content.decode()
    assert "s3cr3tword" not in page.content.decode()


def test_an_address_may_ask_for_what_the_page_shows(admin_client: Client) -> None:
    ExecutionFactory.create(key="here", live_key="here", labels=["mail"])
    ExecutionFactory.create(key="there", live_key="there", queue_name="other")

    for query in ("key=here", "labels__contains=mail", "queue_name=default"):
        page = admin_client.get(f"{address('execution')}?{query}").content.decode()
        assert "here" in page
        assert ">there<" not in page
