"""When errors happened is the same on every page, and never ahead."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.admin.errors.groups import read_groups
from django_agenda.admin.overview.errors import read_errors
from django_agenda.admin.overview.scope import read_scope
from django_agenda.clock import now
from django_agenda.models import Batch, ErrorGroup, Execution
from django_agenda.models.happened import happened
from django_agenda.models.identity import uuid7
from django_agenda.scheduling.count import count_failures, count_runs
from django_agenda.scheduling.grid import Grid
from django_agenda.scheduling.prune import Rules, prune
from django_agenda.scheduling.rollup import rollup_of
from tests.factories import BatchFactory, ExecutionFactory

pytestmark = pytest.mark.django_db
MARK = "0123456789abcdef"
SECOND = timedelta(seconds=1)


def in_trouble(*each: dict[str, Any], start: datetime, **counts: Any) -> Batch:
    batch: Batch = BatchFactory.create(
        start=start, over=timedelta(minutes=1), total=len(each), **{"finished_at": None, **counts}
    )
    for position, fields in enumerate(each):
        given = {"failed_stage": "run", "error_class": "OSError", "attempts": 3, "lag_ms": 24}
        ExecutionFactory.create(
            batch=batch, position=position, error_fingerprint=MARK, **(given | fields)
        )
    return batch


def of_the_batch(batch: Batch) -> tuple[datetime, datetime]:
    kind = count_failures(batch.executions.all(), Grid.over(0, 60_000), batch.start).largest[0]
    moments = [
        batch.start + timedelta(milliseconds=offset) for offset in (kind.first_ms, kind.last_ms)
    ]
    return moments[0], moments[1]


def test_an_error_happened_at_the_end_of_its_attempt_on_every_page() -> None:
    moment = now()
    start = moment - timedelta(minutes=20)
    late, soon = moment - timedelta(minutes=2), moment + timedelta(minutes=3)
    batch = in_trouble(
        {"status": "failed", "due_at": late, "started_at": late, "finished_at": late + 9 * SECOND},
        {"status": "scheduled", "due_at": soon, "started_at": late, "run_ms": 2345},
        {"status": "running", "due_at": late, "started_at": late + SECOND, "run_ms": 10**6},
        start=start,
        failed=1,
        scheduled=1,
        running=1,
    )

    rows = Execution.objects.all()
    group = read_groups(rows, moment).groups[0]
    overview = read_errors(rows, read_scope(Batch.objects.all(), moment), moment).rows[0]

    assert group.first == late
    assert group.last == late + 9 * SECOND
    for shown, told in zip((overview.first, overview.last), (group.first, group.last), strict=True):
        assert told.isoformat(timespec="milliseconds") in shown
    for mine, told in zip(of_the_batch(batch), (group.first, group.last), strict=True):
        assert abs(mine - told) <= timedelta(milliseconds=1)
    assert overview.count == "3"
    found = dict(rows.annotate(at=happened()).values_list("position", "at"))
    assert found[1] == pytest.approx(late + timedelta(seconds=2.345), abs=SECOND / 500)


@pytest.mark.parametrize("fractions", [(0.5, 0, 0.499_999), (0.000_001, 0), (2, 1.9, 0.12, 0.1)])
def test_an_error_leads_to_whom_it_met_last_and_not_by_the_last_id(
    fractions: tuple[float, ...],
) -> None:
    moment = now()
    whole = moment.replace(microsecond=0) - timedelta(minutes=2)
    ends = [whole + fraction * SECOND for fraction in fractions]
    ids = sorted(uuid7() for _ in ends)
    in_trouble(
        *(
            {"pk": pk, "status": "failed", "due_at": whole, "finished_at": end}
            for pk, end in zip(ids, ends, strict=True)
        ),
        start=whole,
        failed=len(ends),
        finished_at=max(ends),
    )

    assert read_groups(Execution.objects.all(), moment).groups[0].sample_id == ids[0]


def test_what_was_refused_happened_when_it_was_written() -> None:
    moment = now()
    fields = {"status": "pending", "failed_stage": "enqueue", "attempts": 0, "lag_ms": None}
    due_at, created_at = moment + timedelta(hours=1), moment - timedelta(minutes=9)
    batch = in_trouble(
        fields | {"due_at": due_at, "created_at": created_at}, start=moment, pending=1
    )

    overview = read_errors(batch.executions.all(), read_scope(Batch.objects.all(), moment), moment)

    assert created_at.isoformat(timespec="milliseconds") in overview.rows[0].last
    assert read_groups(batch.executions.all(), moment).groups[0].last == created_at


def test_a_batch_says_how_many_have_an_error_and_how_many_of_them_are_tried_again(
    admin_client: Client,
) -> None:
    late = now() - SECOND
    again = {"status": "scheduled", "due_at": late, "started_at": late, "run_ms": 5}
    batch = in_trouble(again, again, start=late, scheduled=2)

    text = admin_client.get(
        reverse("admin:django_agenda_batch_change", args=[batch.pk])
    ).content.decode()

    assert "2 of them being retried" in text
    assert ">2</a>" in text


def test_what_ran_late_keeps_its_times_when_it_is_pruned() -> None:
    start = now() - timedelta(hours=1)
    third = start + timedelta(minutes=11)
    batch = in_trouble(
        {
            "status": "failed",
            "due_at": third,
            "started_at": third,
            "finished_at": third + 4 * SECOND,
            "run_ms": 4000,
        },
        start=start,
        failed=1,
        finished_at=third + 4 * SECOND,
    )
    runs = count_runs(batch.executions.all(), Grid.over(0, 60_000), start)

    assert sum(prune("default", Rules(executions={"failed": now()})), Counter())

    batch.refresh_from_db()
    rollup = rollup_of(batch)
    assert (rollup.first_start_ms, rollup.last_end_ms) == (660_000, 664_000)
    assert (runs.first_start_ms, runs.last_end_ms) == (660_000, 664_000)
    assert [(one.first_ms, one.last_ms) for one in rollup.failures.values()] == [(664_000,) * 2]


def test_shares_of_the_errors_that_are_shown_add_up(admin_client: Client) -> None:
    late = now() - SECOND
    for mark, many in (("a" * 16, 2), ("b" * 16, 1), ("c" * 16, 5)):
        for _ in range(many):
            ExecutionFactory.create(
                status="failed", error_fingerprint=mark, due_at=late, finished_at=late
            )
    ErrorGroup.objects.create(
        pk="c" * 16, state=ErrorGroup.State.IGNORED, changed_at=now(), changed_by="ann"
    )

    page = admin_client.get(reverse("admin:django_agenda_errorgroup_changelist")).context["page"]

    assert [row.share for row in page.rows] == ["66.7 %", "33.3 %"]
