"""A rollup adds up, survives being written down, and stays small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from django_agenda.scheduling.rollup import MOST_FAILURES, SLICES, Member, Rollup

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 21, 13, tzinfo=UTC)
HOUR_MS = 3_600_000


def member(**fields: object) -> Member:
    given = {
        "batch_id": 1,
        "status": "succeeded",
        "planned_offset_ms": 0,
        "lag_ms": 5,
        "run_ms": 40,
        "failed_stage": "",
        "error_class": "",
        "error_message": "",
        "error_fingerprint": "",
    }
    return Member(**given | fields)  # type: ignore[arg-type]


def failure(mark: int, **fields: object) -> Member:
    return member(
        status="failed",
        failed_stage="run",
        error_class="ValueError",
        error_message="x" * 500,
        error_fingerprint=f"{mark:016x}",
        **fields,
    )


def rolled(*rows: Member) -> Rollup:
    rollup = Rollup.of(HOUR, "")
    for row in rows:
        rollup.add(row, START)
    return rollup


def test_it_is_read_as_it_was_written() -> None:
    rollup = rolled(member(), failure(1), member(status="missed", lag_ms=None, run_ms=None))

    assert Rollup.of(HOUR, rollup.text()) == rollup


def test_in_parts_it_is_the_same_as_at_once() -> None:
    random = Random(3)
    rows = [
        member(planned_offset_ms=random.randrange(HOUR_MS), lag_ms=random.randrange(9999))
        for _ in range(200)
    ] + [failure(mark % 3, planned_offset_ms=mark) for mark in range(20)]

    in_parts = Rollup.of(HOUR, "")
    for row in rows:
        in_parts = Rollup.of(HOUR, in_parts.text())
        in_parts.add(row, START)

    assert in_parts == rolled(*rows)


def test_offsets_fall_into_the_slices_of_the_window() -> None:
    rows = [
        member(planned_offset_ms=offset) for offset in (-5, 0, HOUR_MS // 2, HOUR_MS, HOUR_MS * 9)
    ]

    slices = rolled(*rows).counts["succeeded"]

    assert slices == {0: 2, SLICES // 2: 1, SLICES - 1: 2}


def test_times_are_those_of_what_started() -> None:
    rollup = rolled(
        member(planned_offset_ms=100, lag_ms=7, run_ms=30),
        member(planned_offset_ms=50, lag_ms=2, run_ms=None),
        member(status="cancelled", lag_ms=None, run_ms=None),
    )

    times = (rollup.longest_lag_ms, rollup.first_start_ms, rollup.last_end_ms)
    assert times == (7, 52, 137)
    assert rollup.lag.total() == 2
    assert rollup.run.total() == 1


def test_the_largest_failures_are_kept_and_the_rest_is_counted() -> None:
    rows = [failure(mark) for mark in range(40) for _ in range(2 if mark == 30 else 1)]

    kept = Rollup.of(HOUR, rolled(*rows).text())

    assert len(kept.failures) == MOST_FAILURES
    assert kept.failures[f"{30:016x}"].count == 2
    assert sum(one.count for one in kept.failures.values()) + kept.other_failures == 41


def test_the_worst_case_is_still_small() -> None:
    random = Random(5)
    rows = [
        make(
            mark % 50, planned_offset_ms=random.randrange(HOUR_MS), lag_ms=2 ** random.randrange(20)
        )
        for mark in range(20_000)
        for make in (failure,)
    ]

    assert len(rolled(*rows).text()) < 24_000


def test_a_short_window_has_slices_too() -> None:
    rollup = Rollup.of(timedelta(milliseconds=1), "")
    rollup.add(member(planned_offset_ms=1), START)

    assert rollup.width_ms == 1
    assert rollup.counts["succeeded"] == {1: 1}
