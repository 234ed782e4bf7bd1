"""The status of a batch, the first rule that holds; and the sentence that tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from django_agenda.clock import now
from django_agenda.models import Batch


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None) -> None:
    """Do without the check: these batches have counts and no rows."""


def batch(**counts: Any) -> Batch:
    given: dict[str, Any] = {"start": datetime(2030, 1, 1, tzinfo=UTC), "over": timedelta(hours=1)}
    total = sum(counts.get(name, 0) for name in Batch.COUNTS)
    told = total - counts.get("pending", 0)
    made = Batch.objects.create(**given | {"total": total, "told_until": told} | counts)
    return Batch.objects.get(pk=made.pk)


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("succeeded", {}),
        ("succeeded", {"succeeded": 3}),
        ("succeeded", {"succeeded": 3, "skipped": 2}),
        ("succeeded", {"skipped": 2}),
        ("cancelled", {"cancelled": 1, "succeeded": 9}),
        ("cancelled", {"cancelled": 1}),
        ("partly_failed", {"failed": 1, "succeeded": 9}),
        ("partly_failed", {"missed": 1, "succeeded": 9}),
        ("partly_failed", {"failed": 1, "succeeded": 9, "cancelled": 1}),
        ("failed", {"failed": 1, "cancelled": 9}),
        ("failed", {"failed": 3}),
        ("failed", {"missed": 3, "skipped": 1}),
        ("scheduled", {"scheduled": 3}),
        ("scheduled", {"scheduled": 3, "skipped": 2}),
        ("pending", {"scheduled": 3, "told_until": 2}),
        ("pending", {"scheduled": 3, "told_until": 0}),
        ("running", {"scheduled": 3, "running": 1}),
        ("running", {"scheduled": 3, "succeeded": 1}),
        ("running", {"scheduled": 3, "failed": 1}),
        ("running", {"running": 1, "told_until": 0}),
        ("partly_scheduled", {"pending": 1, "running": 5, "succeeded": 2}),
        ("partly_scheduled", {"pending": 3}),
        ("paused", {"scheduled": 3, "paused_at": datetime(2030, 1, 1, tzinfo=UTC)}),
        ("paused", {"pending": 3, "running": 1, "paused_at": datetime(2030, 1, 1, tzinfo=UTC)}),
        ("succeeded", {"succeeded": 3, "paused_at": datetime(2030, 1, 1, tzinfo=UTC)}),
        ("scheduled", {"scheduled": 3, "cancelled": 2}),
        ("scheduled", {"scheduled": 3, "missed": 2}),
    ],
    ids=str,
)
def test_the_first_rule_that_holds_is_the_status(status: str, counts: dict[str, Any]) -> None:
    assert batch(**counts).status == status


def test_status_can_be_queried() -> None:
    batch(failed=1)
    batch(succeeded=1)

    assert Batch.objects.filter(status="failed").count() == 1


def test_describe_is_one_sentence_with_numbers() -> None:
    assert batch(succeeded=6, failed=4).describe() == "6 succeeded, 4 failed of 10"


@pytest.mark.parametrize(
    "counts", [{}, {"pending": 5}, {"scheduled": 2, "running": 1}, {"missed": 4}]
)
def test_describe_names_every_count_and_the_total(counts: dict[str, int]) -> None:
    made = batch(**counts)

    text = made.describe()

    assert str(made.total) in text
    assert all(f"{count} {name}" in text for name, count in counts.items())
    assert "\n" not in text


@pytest.mark.parametrize(
    ("counts", "progress"),
    [
        ({}, 1.0),
        ({"scheduled": 4}, 0.0),
        ({"scheduled": 3, "failed": 1}, 0.25),
        ({"skipped": 2}, 1.0),
    ],
)
def test_progress_is_the_share_that_has_ended(counts: dict[str, int], progress: float) -> None:
    assert batch(**counts).progress == progress


def test_a_batch_knows_its_end_and_names_itself() -> None:
    made = batch(name="newsletter")

    assert made.end == made.start + timedelta(hours=1)
    assert str(made) == "newsletter"
    unnamed = batch()
    assert str(unnamed.pk) in str(unnamed)
    assert made.created_at <= now()
