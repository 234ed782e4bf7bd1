"""What is typed into the search of the executions is looked for where it can be."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Execution
from django_agenda.models.errors import fingerprint
from tests.factories import ExecutionFactory, WorkerFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_agenda_execution_changelist")
MARK = fingerprint("run", "builtins.ValueError", "no address for customer 7")


@pytest.fixture
def wanted() -> Execution:
    ExecutionFactory.create_batch(3, worker="shop-1", task_name="tests.tasks.fail")
    WorkerFactory.create(name="mail-1")
    wanted: Execution = ExecutionFactory.create(
        key="customer:7",
        worker="mail-1",
        task_name="tests.tasks.add",
        status="failed",
        failed_stage="run",
        error_class="builtins.ValueError",
        error_message="no address for customer 7",
        error_fingerprint=MARK,
        finished_at=now(),
        attempts=1,
    )
    return wanted


def found(client: Client, words: str) -> list[Execution]:
    answer = client.get(LIST, {"q": words})
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


@pytest.mark.parametrize(
    "words",
    [
        *("customer:7", " customer:7 ", "key:customer:7", MARK, f"error:{MARK}", "mail-1"),
        *("worker:mail-1", "worker: mail-1", "tests.tasks.add", "task:tests.tasks.add"),
        *("error:no address", "error:NO ADDRESS", "error: valueerror"),
    ],
)
def test_it_is_found_by(admin_client: Client, wanted: Execution, words: str) -> None:
    assert found(admin_client, words) == [wanted]


def test_it_is_found_by_its_number(admin_client: Client, wanted: Execution) -> None:
    assert found(admin_client, str(wanted.pk)) == [wanted]
    assert found(admin_client, wanted.pk.hex) == [wanted]


@pytest.mark.parametrize(
    "words", ["customer", "Customer:7", "mail", "error:none", "worker:", "task:", ":", "'", "%"]
)
def test_it_is_not_found_by(admin_client: Client, wanted: Execution, words: str) -> None:
    assert wanted not in found(admin_client, words)


def test_the_stage_narrows_what_is_found(admin_client: Client, wanted: Execution) -> None:
    answer = admin_client.get(LIST, {"failed_stage__exact": "run"})

    assert list(answer.context["cl"].result_list) == [wanted]
    assert not list(
        admin_client.get(LIST, {"failed_stage__exact": "lost"}).context["cl"].result_list
    )


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("status__exact=failed", "agenda_exec_trouble"),
        ("status__exact=running", "agenda_exec_due"),
        ("failed_stage__exact=lost", "agenda_exec_kind"),
        (f"error_fingerprint={MARK}", "agenda_exec_kind"),
        (f"q={MARK}", "agenda_exec_kind"),
        ("late=60000", "agenda_exec_late"),
        ("q=a-key", "agenda_exec_key"),
        ("q=error:words", "agenda_exec_kind"),
    ],
)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite has no statistics")
def test_no_filter_and_no_search_reads_all_rows(
    admin_client: Client, wanted: Execution, query: str, index: str
) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert admin_client.get(f"{LIST}?{query}").status_code == 200
    statements = (one["sql"] for one in captured.captured_queries)
    looking = next(sql for sql in statements if 'FROM "django_agenda_execution"' in sql)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {looking}")
        plan = "\n".join(row[3] for row in cursor.fetchall())

    assert index in plan
