"""Ask workers to rest, to go on, or to end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Worker
from tests.conftest import RedisServer
from tests.factories import WorkerFactory, flood

from .acting import action_url, asked, done, list_url, log_of, page_url
from .test_lists import chosen


def test_the_page_asks_first_and_says_what_will_happen(
    admin_client: Client, redis_server: RedisServer
) -> None:
    worker = WorkerFactory.create()

    page = asked(admin_client, worker, "stop")

    assert "Stop 1 worker<" in page
    assert "every other process of that one" in page
    worker.refresh_from_db()
    assert worker.requested == ""


@pytest.mark.parametrize(
    ("slug", "before", "after", "words"),
    [
        ("quiet", "", "quiet", "Asked 1 worker to be quiet."),
        ("resume", "quiet", "", "Asked 1 worker to go on."),
        ("stop", "quiet", "stop", "Asked 1 worker to stop."),
    ],
)
def test_a_worker_is_asked_and_it_is_written_down(
    admin_client: Client, slug: str, before: str, after: str, words: str
) -> None:
    worker = WorkerFactory.create(requested=before)

    assert done(admin_client, worker, slug, reason="new disks") == words

    worker.refresh_from_db()
    assert worker.requested == after
    assert log_of(worker) == [f"{words} Reason: new disks"]
    assert "new disks" in admin_client.get(page_url(worker)).content.decode()


@pytest.mark.parametrize("status", ["draining", "stopped", "lost"])
def test_who_ends_anyway_has_no_button(admin_client: Client, status: str) -> None:
    worker = WorkerFactory.create(status=status)

    assert "/do/" not in admin_client.get(page_url(worker)).content.decode()
    assert done(admin_client, worker, "quiet").startswith("Nothing was changed; skipped 1")
    assert log_of(worker) == []


def test_a_lost_worker_in_the_list_is_told_apart_from_one_that_can_be_asked(
    admin_client: Client,
) -> None:
    page = chosen(admin_client, [WorkerFactory.create(status="lost")], "quiet").content.decode()

    assert "<h1>Quiet</h1>" in page
    assert "nothing of what was chosen is in a state that this is for" in page
    assert "Skipped: 1 lost" in page


def test_many_are_asked_in_the_list(admin_client: Client) -> None:
    workers = WorkerFactory.create_batch(3)
    gone = WorkerFactory.create(status="stopped")

    page = chosen(admin_client, [*workers, gone], "quiet").content.decode()
    assert "Quiet 3 workers" in page
    chosen(admin_client, [*workers, gone], "quiet", confirmed="yes")

    assert Worker.objects.filter(requested="quiet").count() == 3
    assert [len(log_of(worker)) for worker in (*workers, gone)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"requested": "quiet"}, "quiet asked for 2 min ago"),
        ({"requested": "stop", "status": "quiet"}, "stop asked for 2 min ago"),
        ({"requested": "", "status": "quiet"}, "resume asked for 2 min ago"),
    ],
)
def test_what_was_asked_for_and_is_not_done_yet_is_shown(
    admin_client: Client, redis_server: RedisServer, fields: dict[str, str], words: str
) -> None:
    flood(5)
    worker = WorkerFactory.create(requested_at=now() - timedelta(minutes=2, seconds=5), **fields)

    overview = reverse("admin:django_agenda_overview_changelist")
    for url in (page_url(worker), list_url(Worker), overview):
        assert words in admin_client.get(url).content.decode(), url

    done_already = {"requested": worker.requested, "status": worker.requested or "active"}
    if worker.requested != "stop":
        Worker.objects.update(**done_already)
        assert "asked for" not in admin_client.get(page_url(worker)).content.decode()


def test_when_every_worker_is_quiet_the_overview_says_so(
    admin_client: Client, redis_server: RedisServer
) -> None:
    flood(5)
    worker = WorkerFactory.create(status="quiet", requested="quiet")

    page = admin_client.get(reverse("admin:django_agenda_overview_changelist")).content.decode()

    assert "Every worker is quiet" in page
    # It may still end what it has.
    assert f"0 / {worker.concurrency}" in page


def test_whoever_only_sees_workers_asks_nothing(client_for: object, db: None) -> None:
    worker = WorkerFactory.create()
    client = client_for("view_worker")  # type: ignore[operator]

    assert "/do/" not in client.get(page_url(worker)).content.decode()
    assert client.post(action_url(worker, "stop")).status_code == 403
