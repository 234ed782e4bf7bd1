"""The page that shows everything at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from django_agenda.admin.overview.load import read_load
from django_agenda.admin.overview.page import Page
from django_agenda.admin.overview.scope import read_scope
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import Batch, Execution, Worker
from django_agenda.scheduling.prune import Rules, prune
from tests.factories import (
    CALM,
    BatchFactory,
    ExecutionFactory,
    Scene,
    ScheduleFactory,
    WorkerFactory,
    flood,
)

from .conftest import ClientFor
from .test_pages import NOT_ALLOWED

ADDRESS = reverse("admin:django_agenda_overview_changelist")
LIVE = reverse("admin:django_agenda_overview_live")

pytestmark = pytest.mark.django_db


def shown(client: Client) -> tuple[Page, str]:
    response = client.get(ADDRESS)
    assert response.status_code == 200
    return response.context["page"], response.content.decode()


def planned(page: Page) -> int:
    tile = next(tile for tile in page.tiles if tile.title == "Next hour")
    return int(tile.figures[0].value.replace(",", ""))


def last_hour(page: Page) -> dict[str, str]:
    tile = next(tile for tile in page.tiles if tile.title == "Last hour")
    return {figure.name: figure.value for figure in tile.figures}


def test_an_empty_database_gets_a_first_step_and_a_check_list(admin_client: Client) -> None:
    page, text = shown(admin_client)

    assert page.is_new
    assert "agenda.scatter(over=timedelta(hours=1))" in text
    assert "python manage.py run_agenda_worker" in text
    assert [one.check for one in page.findings] == ["database", "redis", "migrations", "workers"]
    assert "none is alive" in text


def test_the_load_is_the_sum_over_all_batches(admin_client: Client) -> None:
    calm = Scene(elapsed=0.5, outage=None, refused=0.0, failing=0, missing=0, cancelled=0)
    for _ in range(3):
        flood(240, over=timedelta(hours=4), scene=calm)
    flood(6000, over=timedelta(hours=100), scene=calm)

    page, _text = shown(admin_client)

    # Every one of them plans 60 an hour.
    assert planned(page) == pytest.approx(240, abs=6)
    assert int(last_hour(page)["succeeded"]) == pytest.approx(240, abs=6)
    assert page.strip is not None
    assert {layer.slug for layer in page.strip.bars.layers} >= {"succeeded", "scheduled"}


def test_the_sums_of_both_hours_are_those_of_the_rows(admin_client: Client) -> None:
    moment = now()
    rows = []
    # One is small, one is not counted whole; what is due every 7 s lies across any slice.
    for offset, total in ((11.2, 500), (3.7, 501), (0, 40)):
        start = moment - timedelta(minutes=30, seconds=offset)
        batch = BatchFactory.create(start=start, over=timedelta(hours=1), total=total)
        for position in range(total):
            due_at = start + timedelta(seconds=7 * position)
            rows.append(ExecutionFactory.build(batch=batch, position=position, due_at=due_at))
            rows[-1].planned_offset_ms = 7000 * position
    near = [timedelta(seconds=seconds) for seconds in (-3599.5, -0.4, 0, 0.4, 0.9, 3590)]
    rows += [ExecutionFactory.build(due_at=moment + distance) for distance in near]
    Execution.objects.bulk_create(rows)
    past = Execution.objects.filter(due_at__lte=moment)
    past.update(status="succeeded", finished_at=moment)
    for batch in Batch.objects.all():
        batch.succeeded = past.filter(batch=batch).count()
        batch.scheduled = batch.total - batch.succeeded
        batch.finished_at = None if batch.scheduled else moment
        batch.save()

    scope = read_scope(Batch.objects.all(), moment)
    load = read_load(Execution.objects.all(), scope, moment)

    in_reach = Execution.objects.filter(due_at__lte=moment + timedelta(hours=1))
    assert load.behind("succeeded") == in_reach.filter(status="succeeded").count()
    assert sum(load.ahead) == in_reach.filter(status="scheduled").count()
    assert load.open == 0


def test_the_figures_of_the_last_hour_add_up_to_what_was_planned(admin_client: Client) -> None:
    moment = now()
    for status in ("scheduled", "cancelled", "failed", "running"):
        ended = None if status in Execution.LIVE else moment
        due_at = moment - timedelta(minutes=7)
        ExecutionFactory.create(due_at=due_at, status=status, finished_at=ended)

    figures = last_hour(shown(admin_client)[0])

    assert figures == {
        "succeeded": "0",
        "cancelled": "1",
        "missed": "0",
        "failed": "1",
        "not ended yet": "2",
        "peak": "2 / min",
    }


def test_a_flood_is_not_spread_over_the_hour(admin_client: Client) -> None:
    over = Scene(elapsed=600, outage=None, refused=0, failing=0, missing=0, cancelled=0)
    flood(2000, over=timedelta(milliseconds=100), scene=over)

    assert last_hour(shown(admin_client)[0])["peak"] == "2,000 / min"


def test_single_executions_are_part_of_the_load(admin_client: Client) -> None:
    moment = now()
    ExecutionFactory.create_batch(3, due_at=moment + timedelta(minutes=30))
    ExecutionFactory.create_batch(
        2, due_at=moment - timedelta(minutes=20), status="succeeded", finished_at=moment
    )
    ExecutionFactory.create(due_at=moment + timedelta(hours=3))

    page, _text = shown(admin_client)

    assert planned(page) == 3
    assert last_hour(page)["succeeded"] == "2"


def test_what_was_pruned_stays_in_the_load(admin_client: Client) -> None:
    flood(100, over=timedelta(minutes=20), scene=Scene(elapsed=1.5, refused=0, outage=None))
    before, _text = shown(admin_client)
    ended = dict.fromkeys(Batch.ENDED, now() + timedelta(seconds=1))
    list(prune("default", Rules(executions=ended)))

    after, _text = shown(admin_client)

    assert not Execution.objects.exists()
    assert last_hour(after) == last_hour(before)


def test_what_waits_and_runs_is_counted(admin_client: Client) -> None:
    moment = now()
    ExecutionFactory.create(due_at=moment - timedelta(minutes=2))
    ExecutionFactory.create(due_at=moment - timedelta(minutes=9), held_by="paused")
    worker = WorkerFactory.create(concurrency=8)
    ExecutionFactory.create(status="running", started_at=moment, claimed_by=worker.pk)
    WorkerFactory.create(concurrency=8, beat_at=moment - timedelta(hours=2))

    page, _text = shown(admin_client)

    now_tile = {figure.name: figure.value for figure in page.tiles[0].figures}
    assert now_tile["due"] == "1"
    assert now_tile["oldest"].startswith("2 min")
    assert now_tile["running"] == "1 / 8"


def hold(worker: Worker, many: int) -> None:
    ExecutionFactory.create_batch(
        many, status="running", claimed_by=worker.pk, started_at=now(), due_at=now()
    )


def now_figures(page: Page) -> dict[str, str]:
    return {figure.name: figure.value for figure in page.tiles[0].figures[2:]}


def test_what_is_claimed_beyond_the_slots_does_not_run(admin_client: Client) -> None:
    hold(WorkerFactory.create(name="busy", concurrency=8, running=39), 39)
    hold(WorkerFactory.create(name="calm", concurrency=8), 3)

    page, text = shown(admin_client)

    assert now_figures(page) == {"running": "11 / 16", "at hand": "31"}
    assert page.sentence.startswith("11 running, ")
    assert "8 / 8 + 31 at hand" in text
    assert "39 / 8" not in text
    assert "8 / 8 + 31 at hand" in admin_client.get("/admin/django_agenda/worker/").text


def test_what_lost_workers_hold_does_not_run(admin_client: Client) -> None:
    hold(WorkerFactory.create(beat_at=now() - timedelta(minutes=5)), 39)

    page, text = shown(admin_client)

    assert now_figures(page) == {"running": "0 / 0", "with lost workers": "39"}
    assert page.sentence.startswith("0 running, 39 with lost workers, ")
    assert "39 / 8" not in text


def test_a_silent_worker_is_told_before_it_is_lost(admin_client: Client) -> None:
    settings = get_settings()
    silence = (2 * settings.HEARTBEAT + settings.WORKER_TTL) / 2
    hold(WorkerFactory.create(name="kiwi", beat_at=now() - silence), 9)
    WorkerFactory.create(name="plum")

    page, _text = shown(admin_client)

    words = "kiwi is silent and holds 9: they are begun again once it is lost"
    assert page.warnings == [words]
    assert now_figures(page)["running"] == "8 / 16"


def trouble(page: Page) -> dict[str, str]:
    assert page.trouble is not None
    return {row.name: " / ".join(words for _, words in row.reasons) for row in page.trouble.rows}


def test_batches_in_trouble_are_named_with_the_reason(admin_client: Client) -> None:
    moment = now()
    flood(100, name="refused")
    flood(100, name="calm", scene=CALM)
    flood(100, name="failing", scene=Scene(elapsed=1.2, refused=0, outage=None, failing=0.2))
    flood(100, name="old", moment=moment - timedelta(days=2), scene=Scene(elapsed=1.2, refused=0))
    late = flood(10, name="late", over=timedelta(hours=1), scene=Scene(elapsed=-1.0, refused=0))
    Batch.objects.filter(pk=late.pk).update(start=moment - timedelta(hours=2))
    late.executions.update(due_at=moment - timedelta(hours=1))
    paused = flood(10, name="held", scene=CALM)
    Batch.objects.filter(pk=paused.pk).update(paused_at=moment, pause_reason="too many failures")

    page, _text = shown(admin_client)

    found = trouble(page)
    assert found.keys() == {"refused", "failing", "late", "held"}
    assert "7 not enqueued: ConnectionError" in found["refused"]
    assert "failed" in found["failing"]
    assert found["late"].startswith("over for 1 h")
    assert "too many failures" in found["held"]
    assert page.others is not None
    assert [row.name for row in page.others.rows] == ["calm"]


def test_enqueueing_that_stopped_short_is_trouble(admin_client: Client) -> None:
    batch = flood(50, scene=CALM)
    Batch.objects.filter(pk=batch.pk).update(told_until=30)

    assert "20 left" in trouble(shown(admin_client)[0])[batch.name]


def test_errors_are_grouped_over_batches(admin_client: Client) -> None:
    for _ in range(2):
        flood(200, scene=Scene(failing=1.0, refused=0, outage=None))

    page, text = shown(admin_client)

    assert page.errors is not None
    groups = {row.name: row for row in page.errors.rows}
    failed = Execution.objects.filter(error_class="builtins.TimeoutError").count()
    assert groups["TimeoutError"].count == f"{failed}"
    assert groups["TimeoutError"].batches == 2
    assert "no address for customer &lt;n&gt;" in text
    assert f"error_fingerprint={groups['TimeoutError'].fingerprint}" in text


def test_schedules_that_did_not_fire_are_named(admin_client: Client, client_for: ClientFor) -> None:
    flood(20, scene=CALM)
    late, early = now() - timedelta(minutes=5), now() + timedelta(minutes=5)
    ScheduleFactory.create(name="Overdue", next_at=late, task_name="tests.tasks.gone")
    ScheduleFactory.create(name="Ahead", next_at=early)
    ScheduleFactory.create(name="Off", next_at=late, enabled=False)

    page, text = shown(admin_client)

    assert page.silent is not None
    assert [(row.name, row.why) for row in page.silent.rows] == [
        ("Overdue", "no worker is at work")
    ]
    assert "Schedules that did not fire" in text
    WorkerFactory.create()
    found = shown(admin_client)[0].silent
    assert found is not None
    assert "tests.tasks.gone" in found.rows[0].why
    assert shown(client_for("view_overview"))[0].silent is None


def test_errors_older_than_a_day_are_left_out(admin_client: Client) -> None:
    old = now() - timedelta(days=3)
    ExecutionFactory.create(
        due_at=old, status="failed", error_fingerprint="a" * 16, finished_at=old, error_class="Old"
    )

    page, _text = shown(admin_client)

    assert page.errors is not None
    assert not page.errors.rows


def test_the_overview_needs_its_own_right(client_for: ClientFor) -> None:
    client = client_for("view_batch", "view_execution", "view_worker")

    assert client.get(ADDRESS).status_code == 403
    assert client.get(LIVE).status_code == 403
    assert Client().get(LIVE).status_code == 302


def test_its_parts_need_the_rights_of_what_they_show(client_for: ClientFor) -> None:
    flood(200, name="Secret plans", scene=Scene(failing=0.5))
    # Heard of lately, and silent now: that is said above everything else.
    WorkerFactory.create(name="hidden-worker", beat_at=now() - 3 * get_settings().HEARTBEAT)

    page, text = shown(client_for("view_overview"))

    parts: list[object] = [page.trouble, page.others, page.errors, page.workers]
    assert parts == [None] * 4
    for hidden in ("Secret plans", "hidden-worker", "TimeoutError", "/django_agenda/batch/"):
        assert hidden not in text
    assert planned(page)


def test_only_reading_is_offered(admin_client: Client) -> None:
    assert admin_client.post(ADDRESS).status_code == 403
    assert admin_client.post(LIVE).status_code == 405
    assert admin_client.get(f"{ADDRESS}add/").status_code == 404
    assert admin_client.get(f"{ADDRESS}1/change/").status_code == 404


def test_it_is_found_in_the_menu_and_from_the_lists(
    admin_client: Client, client_for: ClientFor
) -> None:
    BatchFactory.create()
    lists = reverse("admin:django_agenda_batch_changelist")

    for address in (reverse("admin:index"), lists):
        assert f'href="{ADDRESS}"' in admin_client.get(address).content.decode()
    assert ADDRESS not in client_for("view_batch").get(lists).content.decode()


def test_the_fragment_is_sent_when_a_batch_has_changed(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    monkeypatch.setattr("django_agenda.admin.overview.view.now", lambda: moment)
    batch = flood(50, scene=CALM)
    known = {"if-none-match": admin_client.get(ADDRESS).context["live"].tag}

    same = admin_client.get(LIVE, headers=known)
    Batch.objects.filter(pk=batch.pk).update(version=batch.version + 1)
    changed = admin_client.get(LIVE, headers=known)

    assert same.status_code == 304
    assert changed.status_code == 200
    assert "no-store" in changed["Cache-Control"]
    assert "<html" not in changed.content.decode()
    assert int(changed["X-Agenda-Next"]) >= 5


def test_a_redis_that_does_not_answer_is_said(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood(50, scene=CALM)
    monkeypatch.setattr("django_agenda.admin.obstacles.redis_error", lambda: "refused")

    assert "Redis does not answer" in shown(admin_client)[1]


def test_text_of_others_is_never_markup(admin_client: Client) -> None:
    evil = '"><script>alert(1)</script>'
    batch = flood(20, name=evil, scene=Scene(failing=0.9))
    Batch.objects.filter(pk=batch.pk).update(enqueue_error=evil, pause_reason=evil)
    Execution.objects.filter(batch=batch).update(task_name=evil, error_class=evil)
    WorkerFactory.create(name=evil, hostname=evil, queues=evil)

    text = shown(admin_client)[1]

    assert "<script>alert" not in text
    assert not NOT_ALLOWED.search(text)


def test_the_model_of_the_menu_does_not_stop_a_dump(capsys: Any) -> None:
    BatchFactory.create()

    call_command("dumpdata", "django_agenda")

    assert '"django_agenda.batch"' in capsys.readouterr().out
