"""A large batch that has ended is counted once, and forgotten when it is reopened."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse

from django_agenda.admin.memory import memory
from django_agenda.clock import now
from django_agenda.models import Batch, Digest, Execution
from django_agenda.scheduling import digest as room
from django_agenda.scheduling.digest import Counted, Digests, digest_of, write_digests
from django_agenda.scheduling.prune import Rules, prune
from tests.factories import Scene, flood
from tests.integration.conftest import RunningWorker
from tests.waiting import wait_until

OVER = Scene(elapsed=1.5, refused=0.0, failing=0.1)
STILL = Scene(elapsed=0.6, refused=0.0)

LARGE = 300


@pytest.fixture(autouse=True)
def _soon_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ROWS_A_STEP", 99)
    monkeypatch.setattr(Batch, "LARGE", LARGE)
    for module in ("batches.subject", "timeline.drawing"):
        monkeypatch.setattr(f"django_agenda.admin.{module}.DOTS_UP_TO", LARGE)


@pytest.fixture
def batch() -> Batch:
    return flood(LARGE + 100, scene=OVER)


def write() -> int:
    return sum(1 for _ in write_digests("default"))


def page_of(client: Client, batch: Batch) -> tuple[object, ...]:
    memory.forget()
    response = client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))
    page = response.context["page"]
    groups = [(row.name, row.count, row.spark, row.sample_url) for row in page.failures]
    return page.timeline, page.tiles, groups, page.more_failures, page.table.count


def test_the_page_is_the_same_from_the_digest_and_from_the_rows(
    admin_client: Client, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_rows = page_of(admin_client, batch)

    assert write() > 3
    counted = digest_of(batch)
    monkeypatch.setattr("django_agenda.admin.batches.timeline.count_outcomes", None)
    monkeypatch.setattr("django_agenda.admin.batches.failures.count_failures", None)

    assert counted is not None
    assert Counted.read(counted.text()) == counted
    assert page_of(admin_client, batch) == from_rows


def test_a_batch_that_is_planned_beyond_its_window_has_the_same_page(
    admin_client: Client, batch: Batch
) -> None:
    last = batch.executions.latest("position")
    Execution.objects.filter(pk=last.pk).update(planned_offset_ms=F("planned_offset_ms") + 99_999)
    from_rows = page_of(admin_client, batch)

    write()

    assert page_of(admin_client, batch) == from_rows


def test_it_is_counted_once(batch: Batch) -> None:
    write()

    assert write() == 0
    assert Digest.objects.get().version == batch.version


@pytest.mark.parametrize(
    "scene", [pytest.param(STILL, id="still running"), pytest.param(OVER, id="not large")]
)
def test_what_is_quick_or_has_not_ended_is_not_counted(scene: Scene) -> None:
    flood(LARGE + 1 if scene is STILL else LARGE, scene=scene)

    assert write() == 0


def test_a_batch_that_is_reopened_loses_it_and_gets_another(batch: Batch) -> None:
    write()
    failed = batch.failed

    batch.retry_failed()
    assert digest_of(batch) is None
    assert write() == 0
    batch.cancel()
    batch.refresh_from_db()
    assert digest_of(batch) is None
    write()

    counted = digest_of(batch)
    assert counted is not None
    assert failed
    assert not sum(n for (status, _), n in counted.outcomes.items() if status == "failed")


def test_a_batch_that_changes_while_it_is_counted_keeps_none(batch: Batch) -> None:
    steps = write_digests("default")
    next(steps)

    Batch.objects.filter(pk=batch.pk).update(version=F("version") + 1)

    list(steps)
    assert not Digest.objects.exists()


def test_pruning_takes_it_away(batch: Batch) -> None:
    write()

    moment = now() + timedelta(seconds=1)
    assert sum(prune("default", Rules(executions=dict.fromkeys(Batch.ENDED, moment))), Counter())

    assert not Digest.objects.exists()
    assert write() == 0


def test_a_look_goes_on_where_the_last_one_stopped(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BUDGET", -1.0)
    digests, looks = Digests("default"), 0

    while not Digest.objects.exists():
        digests.write()
        looks += 1

    assert 3 < looks < 20


def test_who_sees_only_some_executions_is_not_shown_the_counts_of_all(
    admin_client: Client, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_agenda.admin.executions.view import ExecutionAdmin

    write()
    some = Execution.objects.filter(status="failed")
    monkeypatch.setattr(ExecutionAdmin, "get_queryset", lambda *_: some)

    timeline = page_of(admin_client, batch)[0]

    assert timeline.count == batch.failed  # type: ignore[attr-defined]


def test_the_caretaker_counts_what_has_ended(batch: Batch) -> None:
    with RunningWorker():
        wait_until(Digest.objects.exists, 20, what="the digest")
