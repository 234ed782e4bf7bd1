"""What the pages of the admin say."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

import django_agenda
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests.factories import (
    CALM,
    AttemptFactory,
    BatchFactory,
    ExecutionFactory,
    Scene,
    WorkerFactory,
    flood,
)
from tests.integration.conftest import Configure

LISTS = [
    reverse(f"admin:django_agenda_{name}_changelist") for name in ("batch", "execution", "worker")
]
TEMPLATES = Path(django_agenda.__file__).parent / "templates"
NOT_ALLOWED = re.compile(
    r"<style|\sstyle\s*=|\son\w+\s*=\s*[\"']|javascript:|<script(?![^>]*\ssrc=)"
)

pytestmark = pytest.mark.django_db


def page_of(row: Batch | Execution) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_change", args=[row.pk])


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_list_tells_what_to_do(admin_client: Client) -> None:
    batches, executions, workers = (text_of(admin_client, address) for address in LISTS)

    assert "agenda.scatter(over=timedelta(hours=1))" in batches
    assert "schedule(send_reminder" in executions
    assert "python manage.py run_agenda_worker" in workers


def test_a_filter_without_matches_is_not_an_empty_list(admin_client: Client) -> None:
    BatchFactory.create()
    WorkerFactory.create()

    page = text_of(admin_client, f"{LISTS[0]}?status__exact=paused")

    assert "Nothing matches." in page
    assert "run_agenda_worker" not in page


def test_the_list_of_batches_shows_states_and_flags(admin_client: Client) -> None:
    flood(300, name="Wave")

    page = text_of(admin_client, LISTS[0])

    assert "Wave" in page
    assert "partly scheduled" in page
    assert "has failures" in page


def test_scheduling_and_running_are_told_apart(admin_client: Client) -> None:
    batch = flood(1000, scene=Scene(failing=0.05))

    page = text_of(admin_client, page_of(batch))

    assert "Enqueueing stopped at 930 of 1,000" in page
    assert "Connection refused" in page
    scheduling, running = re.findall(r'<div class="ag-stage">.*?</ul>', page, re.DOTALL)
    assert "<b>930</b> enqueued" in scheduling
    assert "<b>70</b> not enqueued" in scheduling
    assert "failed" not in scheduling
    assert f"<b>{batch.failed}</b> failed" in running
    assert "not enqueued" not in running


@pytest.mark.parametrize(
    ("total", "detail", "few"), [(150, "rows", 2200), (900, "dots", 300), (5200, "density", 300)]
)
def test_the_level_of_detail_follows_the_count(
    admin_client: Client, total: int, detail: str, few: int
) -> None:
    batch = flood(total)

    page = text_of(admin_client, page_of(batch))

    assert f"ag-plot-{detail}" in page
    drawing = page[
        page.index('<svg class="ag-svg') : page.index("</section>", page.index("ag-svg"))
    ]
    assert len(re.findall(r"<(?:path|rect|line|text|g|use|circle)\b", drawing)) < few


def test_zooming_goes_from_density_to_dots_to_rows(admin_client: Client) -> None:
    batch = flood(6000, over=timedelta(hours=1))
    address = page_of(batch)

    assert "ag-plot-density" in text_of(admin_client, address)
    assert "ag-plot-dots" in text_of(admin_client, f"{address}?from=0&to=600000")
    assert "ag-plot-rows" in text_of(admin_client, f"{address}?from=0&to=60000")


def test_a_status_filters_the_executions_in_view(admin_client: Client) -> None:
    batch = flood(300, scene=Scene(failing=0.1, refused=0))

    page = text_of(admin_client, f"{page_of(batch)}?status=failed")

    table = page[page.index('id="executions"') :]
    assert f"{batch.failed} failed" in table
    assert "#ag-i-succeeded" not in table
    assert "ag-only-failed" in page


def test_the_executions_are_read_page_by_page(admin_client: Client) -> None:
    batch = flood(60, scene=CALM)
    seen: list[str] = []
    address = page_of(batch)

    query = ""
    for _ in range(3):
        page = text_of(admin_client, address + query)
        table = page[page.index('id="executions"') :]
        seen += re.findall(r'<td class="ag-num ag-quiet">(\d+)</td>', table)
        found = re.search(r'href="(\?after=[^"#]+)', table)
        query = found.group(1) if found else ""

    assert sorted(map(int, seen)) == list(range(1, 61))
    assert not query


def test_failures_are_grouped_without_their_particulars(admin_client: Client) -> None:
    batch = flood(800, scene=Scene(failing=0.2, outage=None))

    page = text_of(admin_client, page_of(batch))

    groups = page[page.index('id="ag-failures"') : page.index('id="executions"')]
    assert "no address for customer &lt;n&gt;" in groups
    assert groups.count("no address for customer") == 1
    assert "error_fingerprint=" in groups


@pytest.mark.parametrize("total", [0, 1, 2])
@pytest.mark.parametrize("over", [timedelta(milliseconds=1), timedelta(days=20_000)])
def test_the_smallest_and_the_longest_windows_have_a_page(
    admin_client: Client, total: int, over: timedelta
) -> None:
    batch = flood(total, over=over, scene=Scene(elapsed=0.1, refused=0))

    assert text_of(admin_client, page_of(batch))
    assert text_of(admin_client, LISTS[0])


@pytest.mark.parametrize(
    "query",
    [
        "from=abc&to=%00",
        "from=" + "9" * 5000,
        "from=-1&to=-5",
        "status=nonsense",
        "status=%27%3B",
        "after=1-2-3",
        "after=99999999999999999999-1",
        "after=%C2%B2-1",
        "to=1",
    ],
)
def test_hostile_queries_get_a_page(admin_client: Client, query: str) -> None:
    batch = flood(30)

    assert text_of(admin_client, f"{page_of(batch)}?{query}")


def test_an_execution_shows_its_path_and_attempts(admin_client: Client) -> None:
    flood(200, scene=Scene(failing=0.5, refused=0))
    execution = Execution.objects.filter(status="failed").earliest("position")
    AttemptFactory.create(execution=execution, number=1, error_class="builtins.OSError")

    page = text_of(admin_client, page_of(execution))

    assert "Created" in page
    assert "Started" in page
    assert "OSError" in page
    assert "task unknown here" in page


def test_the_list_tells_the_plan_apart_from_the_moment_of_a_retry(admin_client: Client) -> None:
    batch = BatchFactory.create(total=1, scheduled=1, finished_at=None)
    plan = batch.start + timedelta(seconds=5)
    common = {"batch": batch, "planned_offset_ms": 5000, "lag_ms": 1}
    ExecutionFactory.create(due_at=plan + timedelta(seconds=2), position=1, **common)

    page = text_of(admin_client, LISTS[1])

    planned, again = re.findall(r'<time datetime="([^"]+)"', page)[:2]
    assert planned == plan.astimezone(UTC).isoformat(timespec="milliseconds")
    assert again == (plan + timedelta(seconds=2)).astimezone(UTC).isoformat(timespec="milliseconds")
    assert "again <time" in page
    Execution.objects.update(due_at=plan)
    assert "again <time" not in text_of(admin_client, LISTS[1])


def test_an_execution_that_no_worker_knows_says_so(admin_client: Client) -> None:
    execution = ExecutionFactory.create(held_by="unknown task")

    assert "Waits for a worker that knows its task." in text_of(admin_client, page_of(execution))


def test_a_silent_worker_is_shown_as_lost(admin_client: Client, configure: Configure) -> None:
    configure(HEARTBEAT=5)
    WorkerFactory.create(beat_at=now() - timedelta(hours=1))
    WorkerFactory.create()

    page = text_of(admin_client, LISTS[2])

    assert "lost</span>" in page
    assert "active</span>" in page


def test_no_template_has_inline_style_or_script() -> None:
    for template in TEMPLATES.rglob("*.html"):
        assert not NOT_ALLOWED.search(template.read_text()), template


def test_no_page_has_inline_style_or_script(admin_client: Client) -> None:
    batch = flood(300)
    execution = Execution.objects.filter(batch=batch).earliest("position")

    for address in (*LISTS, page_of(batch), page_of(execution)):
        assert not NOT_ALLOWED.search(text_of(admin_client, address)), address


def test_numbers_of_drawings_are_not_localised(admin_client: Client) -> None:
    batch = flood(300)

    page = admin_client.get(page_of(batch), headers={"accept-language": "de"}).content.decode()

    assert not re.search(r'(?:x|y|width|height|x1|y1)="[\d.]*,', page)
    assert not re.search(r'\sd="[^"]*,', page)


def test_text_of_others_is_never_markup(admin_client: Client) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    batch = flood(5, name=evil, key=evil, labels=[evil], scene=CALM)
    Execution.objects.filter(batch=batch).update(
        task_name=evil, key=None, worker=evil, error_class=evil, error_message=evil,
        error_fingerprint="f" * 16, status="failed", traceback=evil, held_by=evil[:32],
        finished_at=now(), kwargs={evil: evil},
    )  # fmt: skip
    Batch.objects.filter(pk=batch.pk).update(
        enqueue_error=evil,
        strategy=evil,
        succeeded=0,
        scheduled=0,
        failed=5,
        finished_at=now(),
        live_key=None,
    )
    worker = WorkerFactory.create(name=evil, hostname=evil, queues=evil)
    execution = Execution.objects.filter(batch=batch).earliest("position")
    pages = [page_of(batch), page_of(execution), f"{page_of(batch)}?status=failed"]
    pages.append(reverse("admin:django_agenda_worker_change", args=[worker.pk]))

    for address in (*LISTS, *pages):
        page = text_of(admin_client, address)
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_numbers_look_the_same_everywhere_on_the_page_of_a_batch(admin_client: Client) -> None:
    ahead = Scene(elapsed=-1, refused=0, cancelled=0)
    batch = flood(1200, scene=ahead, over=timedelta(seconds=1))

    text = admin_client.get(page_of(batch)).content.decode()

    assert "1,200 scheduled of 1,200" in text
    assert "1200 " not in text
    assert "\u202f" not in text


def test_an_execution_shows_the_frames_of_the_project_and_the_way_to_its_like(
    admin_client: Client,
) -> None:
    failed = flood(300, seed=3, scene=Scene(failing=0.4)).executions.filter(status="failed")[0]
    foreign = '  File "/usr/lib/python3.13/smtplib.py", line 877, in send\n    refuse()\n'
    Execution.objects.filter(pk=failed.pk).update(
        traceback=failed.traceback.replace("TimeoutError", f"{foreign}TimeoutError", 1)
        if "TimeoutError" in failed.traceback
        else failed.traceback + foreign
    )

    text = text_of(admin_client, page_of(failed))

    assert "Traceback, your own code" in text
    assert text.count("smtplib.py") == 1
    errors = reverse("admin:django_agenda_errorgroup_changelist")
    assert f'href="{errors}?error={failed.error_fingerprint}"' in text


def test_a_project_adds_links_to_the_page_of_an_execution(
    admin_client: Client, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "agenda").mkdir()
    link = '<a href="https://logs.example.com/?id={{ execution.pk }}">Logs</a>'
    (tmp_path / "agenda" / "execution_links.html").write_text(link)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    execution = ExecutionFactory.create()

    assert f"logs.example.com/?id={execution.pk}" in text_of(admin_client, page_of(execution))
