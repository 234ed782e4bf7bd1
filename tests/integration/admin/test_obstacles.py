"""Every page says when nothing can run: Redis is gone, or nobody works."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.admin.memory import memory
from django_agenda.clock import now
from django_agenda.models import Batch, Operation, Worker
from tests.factories import ScheduleFactory, WorkerFactory, flood

pytestmark = pytest.mark.django_db

# A worker lives, however slow the machine is that runs this.
LATER = now() + timedelta(hours=1)
REFUSED = "Redis does not answer; this is what the database says: Connection refused"
NOBODY = "No worker is alive: start one with manage.py run_agenda_worker"
RESTING = "Every worker is quiet or ends: nothing new is started"


@pytest.fixture(autouse=True)
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let Redis answer with what is in the list, or well; count who asks by its second item."""
    said = [""]

    def answer() -> str:
        said.append("asked")
        return said[0]

    monkeypatch.setattr("django_agenda.admin.obstacles.redis_error", answer)
    memory.forget()
    yield said
    memory.forget()


def addresses(batch: Batch) -> list[str]:
    worker, schedule = Worker.objects.get(), ScheduleFactory.create()
    operation = Operation.objects.create(kind="retry", model="batch", total=5)
    execution = batch.executions.all()[0]
    rows = (batch, worker, schedule, operation, execution)
    names: list[tuple[str, list[object]]] = [
        (f"{row._meta.model_name}_change", [row.pk]) for row in rows
    ]
    names += [(f"{row._meta.model_name}_changelist", []) for row in rows]
    names += [("errorgroup_changelist", []), ("overview_changelist", []), ("batch_add", [])]
    names += [("batch_do", [batch.pk, "pause"]), ("schedule_edit", [schedule.pk])]
    return [reverse(f"admin:django_agenda_{name}", args=args) for name, args in names]


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_a_redis_that_does_not_answer_is_said_on_every_page(
    admin_client: Client, redis: list[str]
) -> None:
    WorkerFactory.create()
    pages = addresses(flood(20))
    redis[0] = "Connection refused"

    assert [page for page in pages if REFUSED not in text_of(admin_client, page)] == []


def test_nothing_is_said_when_all_is_well(admin_client: Client) -> None:
    WorkerFactory.create(beat_at=LATER)

    for page in addresses(flood(20)):
        text = text_of(admin_client, page)
        assert 'id="ag-obstacles"' not in text
        assert "Redis does not answer" not in text


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (NOBODY, {"beat_at": now() - timedelta(hours=1)}),
        (NOBODY, {"status": "stopped"}),
        (RESTING, {"status": "quiet", "beat_at": LATER}),
        (RESTING, {"status": "draining", "beat_at": LATER}),
    ],
)
def test_that_nobody_works_is_said(
    admin_client: Client, words: str, changes: dict[str, object]
) -> None:
    WorkerFactory.create(**changes)
    batch = flood(20)
    page = reverse("admin:django_agenda_batch_change", args=[batch.pk])

    assert words in text_of(admin_client, page)
    assert words in text_of(admin_client, reverse("admin:django_agenda_batch_changelist"))


def test_the_fragment_says_it_as_well(admin_client: Client, redis: list[str]) -> None:
    WorkerFactory.create()
    batch = flood(20)
    redis[0] = "Connection refused"

    assert REFUSED in text_of(
        admin_client, reverse("admin:django_agenda_batch_live", args=[batch.pk])
    )


def test_redis_is_not_asked_again_for_a_moment(
    admin_client: Client, redis: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of this happens at one moment.
    monkeypatch.setattr("django_agenda.admin.memory.monotonic", lambda: 1.0)
    WorkerFactory.create()
    batch = flood(20)

    for _ in range(3):
        admin_client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))

    assert redis.count("asked") == 1


def test_what_redis_says_is_never_markup(admin_client: Client, redis: list[str]) -> None:
    WorkerFactory.create()
    redis[0] = "<script>alert(1)</script>"

    page = admin_client.get(reverse("admin:django_agenda_batch_changelist")).content.decode()

    assert "<script>alert" not in page
