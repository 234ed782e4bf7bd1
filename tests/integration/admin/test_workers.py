"""The cards of workers, and the page of one: what they run, how busy they were, who leads."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import django_agenda
from django_agenda.clock import now
from django_agenda.models import Execution, Fleet, Worker
from django_agenda.models.load import step_of
from tests.factories import ExecutionFactory, WorkerFactory

from .conftest import ClientFor

pytestmark = pytest.mark.django_db

LIST = "/admin/django_agenda/worker/"


def page_of(worker: Worker) -> str:
    return reverse("admin:django_agenda_worker_change", args=[worker.pk])


def text_of(client: Client, address: str) -> str:
    text = client.get(address).content.decode()
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def run(worker: Worker, seconds: int, key: str) -> Execution:
    return ExecutionFactory.create(
        status="running",
        claimed_by=worker.pk,
        key=key,
        live_key=key,
        started_at=now() - timedelta(seconds=seconds),
    )


def test_the_living_and_the_lost_have_cards(admin_client: Client) -> None:
    WorkerFactory.create(name="lives", running=3)
    WorkerFactory.create(name="was-lost", beat_at=now() - timedelta(minutes=5))
    WorkerFactory.create(name="ended", status="stopped", stopped_at=now())

    board = admin_client.get(LIST).context["board"]

    assert [one.name for one in board.cards] == ["lives", "was-lost"]
    assert board.sentence == "1 worker is alive, 3 of 8 slots busy, 1 lost"


def test_a_card_tells_what_runs_the_longest_first(admin_client: Client) -> None:
    worker = WorkerFactory.create(running=5)
    for seconds in (2, 90, 30, 10, 4):
        run(worker, seconds, f"run-{seconds}")

    card = admin_client.get(LIST).context["board"].cards[0]

    assert [one.name for one in card.runs] == ["run-90", "run-30", "run-10"]
    assert card.runs[0].age == "1 min 30 s"
    assert card.more == 2


def test_who_may_not_see_executions_sees_none_on_cards(client_for: ClientFor) -> None:
    worker = WorkerFactory.create(running=1)
    run(worker, 3, "secret-key")

    text = client_for("view_worker").get(LIST).content.decode()

    assert "1 / 8" in text
    assert "secret-key" not in text


def test_another_version_than_that_of_the_site_is_said(admin_client: Client) -> None:
    same = WorkerFactory.create(version=django_agenda.__version__)
    assert "not that of this site" not in text_of(admin_client, LIST)
    other = WorkerFactory.create(version="0.0.9")

    assert "0.0.9 not that of this site" in text_of(admin_client, LIST)
    assert "0.0.9 not that of this site" in text_of(admin_client, page_of(other))
    assert "not that of this site" not in text_of(admin_client, page_of(same))


def test_memory_is_shown_and_who_does_the_chores(admin_client: Client) -> None:
    leader = WorkerFactory.create(memory=96 * 1024**2)
    other = WorkerFactory.create()
    Fleet.objects.create(leader=leader.pk, leader_until=now() + timedelta(seconds=9))

    text = text_of(admin_client, page_of(leader))

    assert "Memory 96.0" in text
    assert "Chores yes" in text
    assert "Chores" not in text_of(admin_client, page_of(other))
    Fleet.objects.update(leader_until=now() - timedelta(seconds=1))
    assert "Chores" not in text_of(admin_client, page_of(leader))


def test_the_last_quarter_of_an_hour_is_drawn(admin_client: Client) -> None:
    newest = step_of(now())
    load = [[newest - 2, 8, 0], [newest - 1, 4, 2]]
    worker = WorkerFactory.create(load=load)

    for address in (LIST, page_of(worker)):
        text = admin_client.get(address).content.decode()
        assert "The last 15 minutes: on average 6.0 of 8 busy, 2 failed" in text
        assert 'class="ag-fill ag-s-failed"' in text


@pytest.mark.parametrize("place", ["list", "page"])
def test_both_keep_themselves_fresh(admin_client: Client, place: str) -> None:
    worker = WorkerFactory.create(name="mail-9", beat_at=now() - timedelta(seconds=3))
    name = {"list": "new", "page": "live"}[place]
    key = {"list": 0, "page": worker.pk}[place]
    live = reverse(f"admin:django_agenda_worker_{name}", args=[key])
    address = {"list": LIST, "page": page_of(worker)}[place]
    assert f'data-live="{live}"' in admin_client.get(address).content.decode()

    first = admin_client.get(live)

    assert "<html" not in first.content.decode()
    assert "ag-slots" in first.content.decode()
    assert int(first["X-Agenda-Next"]) >= 5
    assert "no-store" in first["Cache-Control"]


def test_cards_are_not_read_again_within_a_moment(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    WorkerFactory.create()
    moment = now()
    monkeypatch.setattr("django_agenda.admin.workers.view.now", lambda: moment)
    live = reverse("admin:django_agenda_worker_new", args=[0])
    known = admin_client.get(live)["ETag"]

    with CaptureQueriesContext(connection) as captured:
        again = admin_client.get(live, headers={"if-none-match": known})

    assert again.status_code == 304
    assert not [one for one in captured.captured_queries if "agenda_worker" in one["sql"]]


def test_the_page_of_one_that_has_ended_does_not_ask(admin_client: Client) -> None:
    worker = WorkerFactory.create(status="stopped", stopped_at=now())

    assert 'class="ag-live"' not in admin_client.get(page_of(worker)).content.decode()


def test_cards_are_for_those_who_may_see_workers(client_for: ClientFor) -> None:
    live = reverse("admin:django_agenda_worker_new", args=[0])

    assert client_for("view_batch").get(live).status_code == 403


def test_only_so_many_cards_are_shown(admin_client: Client) -> None:
    WorkerFactory.create_batch(30)

    board = admin_client.get(LIST).context["board"]

    assert (len(board.cards), board.more) == (24, 6)
