"""A page shows one state of the database, whatever happens while it is gathered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from django_agenda.admin.actions.history import deeds
from django_agenda.admin.batches import page as batch_page
from django_agenda.models import Batch
from django_agenda.models.transactions import one_snapshot
from tests.factories import Scene, flood


def elsewhere(work: Callable[[], Any]) -> None:
    """Do it in another connection, and wait for that."""

    def do() -> None:
        work()
        connections.close_all()

    thread = threading.Thread(target=do)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def failed_batch() -> Batch:
    return flood(200, scene=Scene(elapsed=2, outage=None, refused=0, failing=0.2, missing=0))


def test_it_sees_nothing_of_what_is_done_meanwhile(transactional_db: None) -> None:
    batch = failed_batch()

    with one_snapshot("default"):
        before = Batch.objects.get().failed
        elsewhere(lambda: Batch.objects.update(name="Changed"))
        elsewhere(batch.retry_failed)
        rows = batch.executions.filter(status="failed").count()
        assert Batch.objects.get().name == "Newsletter"

    assert before == rows > 0
    assert Batch.objects.get().failed == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has such a mode")
def test_it_leaves_the_mode_of_other_transactions_alone(transactional_db: None) -> None:
    backend: Any = connection
    mode = backend.transaction_mode

    with one_snapshot("default"):
        pass

    assert backend.transaction_mode == mode == "IMMEDIATE"


def test_the_page_of_a_batch_agrees_with_itself(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = failed_batch()
    failed = batch.failed

    def deeds_and_a_retry(*args: Any) -> Any:
        elsewhere(batch.retry_failed)
        return deeds(*args)

    monkeypatch.setattr(batch_page, "deeds", deeds_and_a_retry)
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))

    response = client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))
    page = response.context["page"]

    outcome = {share.state.slug: int(share.count) for share in page.running.shares}
    assert outcome["failed"] == failed
    assert page.timeline.histogram.of("failed") == failed
    assert sum(row.group.count for row in page.failures) == failed
    assert f"Retry {failed} executions" in str(page.buttons.head)
