"""What the timeline of a batch shows of attempts that another one followed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.admin.batches.slices import tabulate
from django_agenda.admin.timeline.rows import Row
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.scheduling.count import count_outcomes
from tests.factories import AttemptFactory, BatchFactory, ExecutionFactory, Scene, flood

from .conftest import ClientFor

pytestmark = pytest.mark.django_db

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def batch() -> Batch:
    return BatchFactory.create(start=now() - HOUR, over=2 * HOUR, total=0)


def address(batch: Batch) -> str:
    return reverse("admin:django_agenda_batch_change", args=[batch.pk])


def tried(batch: Batch, attempts: int, status: str = "succeeded", **more: object) -> Execution:
    """Make an execution that was tried so often, a minute apart; each try took three seconds."""
    fields = {"started_at": start_of(batch, attempts), "run_ms": 3000, "lag_ms": 5} | more
    execution = member(batch, status, attempts=attempts, **fields)
    for number in range(1, attempts + 1):
        ended = status == "succeeded" and number == attempts
        AttemptFactory.create(
            execution=execution,
            number=number,
            outcome="succeeded" if ended else "failed",
            started_at=start_of(batch, number),
            finished_at=start_of(batch, number) + 3 * SECOND,
            run_ms=3000,
            error_class="" if ended else "smtplib.SMTPServerDisconnected",
        )
    return execution


def member(batch: Batch, status: str, **fields: object) -> Execution:
    place, ended = batch.executions.count(), now() if status in Batch.ENDED else None
    given = {"due_at": batch.start, "finished_at": ended} | fields
    counts = {"total": F("total") + 1, status: F(status) + 1}
    Batch.objects.filter(pk=batch.pk).update(**counts, finished_at=ended)
    return ExecutionFactory.create(batch=batch, position=place, status=status, **given)


def start_of(batch: Batch, number: int) -> datetime:
    return batch.start + (number - 1) * 10 * MINUTE


def statements_of_tries(captured: CaptureQueriesContext) -> list[str]:
    asked = [one["sql"].replace("`", '"') for one in captured]
    return [sql for sql in asked if '"django_agenda_attempt"."number"' in sql]


def rows_of(client: Client, batch: Batch, query: str = "") -> list[Row]:
    return list(client.get(address(batch) + query).context["page"].timeline.drawing.rows.rows)


def test_the_attempts_before_the_last_are_drawn_with_number_time_and_error(
    admin_client: Client, batch: Batch
) -> None:
    tried(batch, 3)

    page = admin_client.get(address(batch))

    (row,) = page.context["page"].timeline.drawing.rows.rows
    text = page.content.decode()
    assert text.count('class="ag-try ag-s-retrying"') == 2
    assert "A hollow bar is an attempt that another one followed." in text
    first, second = row.tries
    assert first.title.startswith("attempt 1 · failed · ")
    assert first.title.endswith(" · ran 3.0 s · SMTPServerDisconnected")
    assert f":{batch.start:%M:%S}.{batch.start.microsecond // 1000:03d} · " in first.title
    assert f"<title>{first.title}</title>" in text
    assert f'; {first.title}; {second.title}"' in text
    assert "attempt 3 · " in row.item.title
    assert float(first.x[:-1]) < float(second.x[:-1]) < float(row.bar_x[:-1])


def test_what_was_tried_once_has_none_and_nothing_is_asked_of_it(
    admin_client: Client, batch: Batch
) -> None:
    member(batch, "failed", attempts=1, started_at=batch.start, run_ms=10)

    with CaptureQueriesContext(connection) as captured:
        text = admin_client.get(address(batch)).content.decode()

    assert "ag-try" not in text
    assert "A hollow bar" not in text
    assert not statements_of_tries(captured)


def test_one_statement_reads_the_attempts_of_all(admin_client: Client, batch: Batch) -> None:
    for _ in range(30):
        tried(batch, 4)

    with CaptureQueriesContext(connection) as captured:
        rows = rows_of(admin_client, batch)

    assert [len(row.tries) for row in rows] == [3] * 30
    asked = statements_of_tries(captured)
    assert len(asked) == 1
    assert "traceback" not in asked[0]
    assert "error_message" not in asked[0]


def test_of_very_many_attempts_the_latest_are_drawn(admin_client: Client, batch: Batch) -> None:
    tried(batch, 25, started_at=batch.start + HOUR)

    (row,) = rows_of(admin_client, batch)

    assert [one.title.split(" · ")[0] for one in row.tries] == [
        f"attempt {number}" for number in range(15, 25)
    ]


def test_what_waits_after_a_retry_by_hand_keeps_all_its_attempts(
    admin_client: Client, batch: Batch
) -> None:
    execution = tried(batch, 2, status="failed")

    Execution.objects.filter(pk=execution.pk).retry(over=None)

    (row,) = rows_of(admin_client, batch)
    assert len(row.tries) == 2
    assert not row.bar_x
    assert "attempt 2" in row.item.title


def test_what_runs_again_has_its_bar_until_now_and_not_the_length_of_its_last_try(
    admin_client: Client, batch: Batch
) -> None:
    # The claim leaves what the attempt before has written.
    error = {"run_ms": 3000, "lag_ms": 5, "error_class": "smtplib.SMTPServerDisconnected"}
    tried(batch, 2, status="running", started_at=now() - 30 * MINUTE, **error)

    (row,) = rows_of(admin_client, batch)

    assert float(row.bar_x[:-1]) == pytest.approx(25, abs=0.2)
    assert float(row.bar_width[:-1]) == pytest.approx(25, abs=0.2)
    assert len(row.tries) == 1
    assert "SMTP" not in row.item.title
    assert "3.0 s" not in row.item.title


def test_what_is_drawn_is_counted_among_what_ran_at_once(
    admin_client: Client, batch: Batch
) -> None:
    for _ in range(3):
        tried(batch, 2)
    Execution.objects.filter(position=2).update(started_at=start_of(batch, 4))

    page = admin_client.get(address(batch)).context["page"]

    # The last runs of two, and before that the first attempts of all three.
    assert page.timeline.peak == 3


def test_an_attempt_that_was_lost_lasts_until_it_was_missed(
    admin_client: Client, batch: Batch
) -> None:
    execution = tried(batch, 2)
    lost = {"outcome": "lost", "run_ms": None, "error_class": "WorkerLost"}
    execution.attempt_set.filter(number=1).update(
        **lost, finished_at=start_of(batch, 1) + 6 * MINUTE
    )

    (row,) = rows_of(admin_client, batch)

    assert float(row.tries[0].width[:-1]) == pytest.approx(5, abs=0.1)
    assert "worker lost" in row.tries[0].title
    assert "ran" not in row.tries[0].title


def test_a_part_of_the_window_shows_the_attempts_in_it(admin_client: Client, batch: Batch) -> None:
    tried(batch, 4)

    (row,) = rows_of(admin_client, batch, "?from=0&to=660000")

    assert [one.title.split(" · ")[0] for one in row.tries] == ["attempt 1", "attempt 2"]


def test_a_page_of_the_project_shows_them_too(batch: Batch) -> None:
    tried(batch, 3)

    text = Template("{% load agenda %}{% agenda_timeline batch %}").render(
        Context({"batch": batch})
    )

    assert text.count("ag-try") == 2
    assert "<a " not in text


def test_who_may_not_see_executions_gets_no_link_in_a_row(
    client_for: ClientFor, batch: Batch
) -> None:
    tried(batch, 2)

    text = client_for("view_batch").get(address(batch)).content.decode()

    assert text.count("ag-try") == 1
    assert '<a class="ag-row' not in text


@pytest.mark.parametrize("query", ["", "?from=1000&to=5000000", "?from=3600000&to=3660000"])
def test_few_are_counted_as_the_database_counts_them(admin_client: Client, query: str) -> None:
    batch = flood(180, seed=5, scene=Scene(failing=0.3, missing=0.1))

    shown = admin_client.get(address(batch) + query).context["page"].timeline.histogram

    lo, hi = (shown.grid.lo_ms, shown.grid.hi_ms)
    rows = batch.executions.filter(planned_offset_ms__range=(lo, hi))
    for status in ("succeeded", "failed", "missed", "pending", "scheduled"):
        assert shown.of(status) == rows.filter(status=status).count()
    assert dict(shown.counts) == dict(tabulate(shown.grid, count_outcomes(rows, shown.grid)).counts)
