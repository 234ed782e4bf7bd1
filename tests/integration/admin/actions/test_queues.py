"""The page of queues and health: what it says, what it pauses, what it repairs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda import Agenda, pause_queue, schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, PausedQueue
from django_agenda.scheduling import agree
from tests import tasks
from tests.conftest import RedisServer
from tests.factories import ExecutionFactory, WorkerFactory
from tests.integration.admin.conftest import ClientFor
from tests.integration.admin.test_pages import NOT_ALLOWED

from .acting import message

HOUR = timedelta(hours=1)
PAGE = "admin:django_agenda_queue_changelist"
REPAIR = "admin:django_agenda_queue_repair"


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    """Commit for real: what is told to Redis is told after the commit."""
    yield
    redis_server.start()


@pytest.fixture(autouse=True)
def _quick_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agree, "SECOND_LOOK", 0.01)


def text_of(client: Client, name: str = PAGE) -> str:
    response = client.get(reverse(name))
    assert response.status_code == 200
    return response.content.decode()


def cells(page: str, queue: str) -> list[str]:
    """Return what a row says, without its button and the seconds that a slow machine adds."""
    row = re.search(rf'<th scope="row">{queue}</th>(.*?)</tr>', page, re.DOTALL)
    assert row
    return [
        re.sub(r"<a .*?</a>|<[^>]+>|(?<=min) \d+ s", "", one)
        for one in re.findall(r"<td.*?</td>", row[1], re.DOTALL)
    ]


def ask_url(queue: str, slug: str) -> str:
    return reverse("admin:django_agenda_queue_do", args=[queue, slug])


def some() -> None:
    schedule(tasks.nothing, at=now() - timedelta(minutes=3))()
    schedule(tasks.nothing, at=now() + HOUR)()
    schedule(tasks.mail, at=now() + HOUR)()
    Execution.objects.filter(queue_name="mail").update(held_by="paused")


def test_each_queue_is_shown_as_the_database_and_redis_have_it(admin_client: Client) -> None:
    some()

    page = text_of(admin_client)

    assert cells(page, "default")[:6] == ["open", "1", "3 min", "2", "0", "2"]
    assert cells(page, "mail")[:6] == ["open", "0", "–", "1", "1", "1"]
    assert "2 queues, 3 waiting, 1 due" in page
    assert not NOT_ALLOWED.search(page)


def test_the_page_says_what_agenda_health_says(admin_client: Client) -> None:
    some()
    WorkerFactory.create(status="quiet")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("agenda_health", "--json", stdout=out)
    checks = json.loads(out.getvalue())["checks"]

    page = text_of(admin_client)

    assert set(checks) == {"database", "redis", "migrations", "workers", "lateness", "pending"}
    for name, found in checks.items():
        words = re.sub(r"[0-9.]+ s", "", found["words"])
        assert words in re.sub(r"[0-9.]+ s", "", page), name
    assert page.count('ag-badge ag-s-missed"') == 2


def test_without_redis_the_page_shows_what_the_database_knows(
    admin_client: Client, redis_server: RedisServer
) -> None:
    some()
    redis_server.kill()

    page = text_of(admin_client)

    assert "Redis does not answer; this is what the database says" in page
    assert cells(page, "default")[:6] == ["open", "1", "3 min", "2", "0", "–"]
    assert 'ag-badge ag-s-failed"' in page


def test_what_needs_redis_answers_503_with_a_message(
    admin_client: Client, redis_server: RedisServer
) -> None:
    some()
    redis_server.kill()

    for response in (admin_client.get(reverse(REPAIR)), admin_client.post(reverse(REPAIR))):
        assert response.status_code == 503
        assert "Redis does not answer" in response.content.decode()
        assert "Traceback" not in response.content.decode()
    assert not LogEntry.objects.exists()


def test_a_queue_is_paused_without_redis(admin_client: Client, redis_server: RedisServer) -> None:
    some()
    redis_server.kill()

    response = admin_client.post(ask_url("default", "pause"))

    assert message(response) == "Paused queue default."
    assert PausedQueue.objects.filter(name="default").exists()


def test_a_pause_asks_first_and_is_written_down(admin_client: Client) -> None:
    some()

    asked = admin_client.get(ask_url("default", "pause")).content.decode()
    assert "Pause queue default" in asked
    assert re.search(r"<dt>waiting</dt><dd>2</dd>.*<dt>of them due</dt><dd>1</dd>", asked)
    assert not PausedQueue.objects.exists()
    response = admin_client.post(ask_url("default", "pause"), {"reason": "new server"})

    assert response["Location"] == reverse(PAGE)
    assert message(response) == "Paused queue default."
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (
        "default",
        "Paused queue default. Reason: new server",
    )
    page = text_of(admin_client)
    assert cells(page, "default")[0] == "paused"
    assert "new server" in page


def test_a_resume_can_spread_what_is_overdue(admin_client: Client) -> None:
    some()
    pause_queue("default")

    response = admin_client.post(ask_url("default", "resume"), {"amount": "2", "unit": "hours"})

    assert message(response) == "Resumed queue default."
    assert not PausedQueue.objects.exists()
    assert not Execution.objects.due().filter(queue_name="default").exists()
    assert "2 hours" in LogEntry.objects.get().change_message


def test_whoever_comes_second_is_told_that_nothing_was_changed(admin_client: Client) -> None:
    some()
    admin_client.post(ask_url("default", "pause"))

    assert (
        "There is nothing to do" in admin_client.get(ask_url("default", "pause")).content.decode()
    )
    response = admin_client.post(ask_url("default", "pause"))

    assert message(response) == "Nothing was changed."
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("queue", ["nobody", "%00", "a b", "x" * 200])
def test_a_queue_that_nobody_has_used_is_not_found(admin_client: Client, queue: str) -> None:
    assert admin_client.get(ask_url(queue, "pause")).status_code == 404
    assert admin_client.post(ask_url(queue, "pause")).status_code == 404


def test_a_wrong_length_of_time_is_asked_for_again(admin_client: Client) -> None:
    some()
    pause_queue("default")

    response = admin_client.post(ask_url("default", "resume"), {"amount": "0"})

    assert response.status_code == 200
    assert "more than nothing" in response.content.decode()
    assert PausedQueue.objects.exists()


def drift(redis_server: RedisServer) -> Batch:
    """Have Redis lose an execution, keep a strange one, and a batch miscount."""
    agenda = Agenda()
    for number in range(3):
        agenda.add(tasks.nothing)(number)
    batch = agenda.scatter(over=HOUR, start=now() + HOUR)
    lost = schedule(tasks.nothing, at=now() + HOUR)()
    redis_server.client.zrem("{test}:due:default", lost.pk.hex)
    strange = "0" * 32
    redis_server.client.zadd("{test}:due:default", {strange: 1e15})
    return batch


def test_the_check_counts_exactly_and_changes_nothing(
    admin_client: Client, redis_server: RedisServer
) -> None:
    drift(redis_server)
    held = redis_server.client.zcard("{test}:due:default")

    asked = text_of(admin_client, REPAIR)

    assert "<dt>executions that Redis lacks</dt><dd>1</dd>" in asked
    assert "<dt>ids in Redis that no row waits for</dt><dd>1</dd>" in asked
    assert redis_server.client.zcard("{test}:due:default") == held
    assert not LogEntry.objects.exists()


def test_the_repair_is_done_and_written_down(
    admin_client: Client, redis_server: RedisServer
) -> None:
    drift(redis_server)

    response = admin_client.post(reverse(REPAIR), {"reason": "flushed by mistake"})

    said = "Repaired: 1 executions that Redis lacks, 1 ids in Redis that no row waits for."
    assert message(response) == said
    assert LogEntry.objects.get().change_message == f"{said} Reason: flushed by mistake"
    assert "there is nothing to repair" in text_of(admin_client, REPAIR)
    assert message(admin_client.post(reverse(REPAIR))) == (
        "Nothing was changed: everything agreed."
    )


def test_each_button_needs_its_right(client_for: ClientFor) -> None:
    some()

    page = text_of(client_for("view_queue"))

    assert "/do/" not in page
    assert reverse(REPAIR) not in page


def test_the_fragment_is_the_page_without_its_frame(admin_client: Client) -> None:
    some()

    fragment = admin_client.get(reverse("admin:django_agenda_queue_live"))

    text = fragment.content.decode()
    assert "<html" not in text
    assert cells(text, "default")[0] == "open"
    assert fragment["X-Agenda-Next"] != "0"


def test_the_number_of_statements_does_not_grow(admin_client: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            text_of(admin_client)
        return len(captured)

    some()
    few = statements()
    for number in range(5):
        queue = f"q{number}"
        schedule(tasks.nothing, at=now() + HOUR)()
        Execution.objects.filter(queue_name="default").update(queue_name=queue)
        pause_queue(queue)

    assert statements() <= few


def test_how_long_the_oldest_has_waited_is_said_as_everywhere(admin_client: Client) -> None:
    ExecutionFactory.create(due_at=now() - timedelta(minutes=4, seconds=31))

    page = admin_client.get(reverse(PAGE)).context["page"]

    words = next(one.words for _state, one in page.findings if one.check == "lateness")
    assert words == "the oldest that is due has waited 4 min 31 s"
