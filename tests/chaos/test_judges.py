"""Each judge of a run finds what it is there for: a run that is wrong does not pass."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from . import soundness, tasks
from .evidence import Evidence, lost
from .ledger import BodyRun, read
from .run import SHORT_LEASES

A, B = 11, 12
"""Process ids of two workers, w11 and w12."""


def life(pid: int, **how: Any) -> Any:
    usual = {"ended_by": "term", "code": 0, "frozen": [], "ended_at": 100.0, "output": ""}
    usual |= {"hurt_at": []}
    more = {"describe": lambda: f"w{pid}"}
    return SimpleNamespace(pid=pid, name=f"w{pid}", **usual | more | how)


def row(**values: Any) -> dict[str, Any]:
    usual = {"status": "succeeded", "attempts": 1, "worker": "w11", "batch_id": None}
    error = dict.fromkeys(("failed_stage", "error_class", "error_message"), "")
    return {"task_name": tasks.plain.name} | usual | error | values


def ran(pid: int = A, start: float = 10.0, end: float | None = 11.0, attempt: int = 1) -> BodyRun:
    return BodyRun("x", attempt, pid, start, 10.0, end, "" if end is None else "ok")


def evidence(
    runs: list[BodyRun], *, of: dict[str, Any] | None = None, lives: list[Any] | None = None
) -> Evidence:
    """Return what one execution, x, has left behind."""
    one = row(**of or {})
    plan = SimpleNamespace(settings=SHORT_LEASES, scenario="mixed")
    run: Any = SimpleNamespace(plan=plan, left=Counter(), promised={}, seconds=1.0)
    return Evidence(
        run=run,
        rows={"x": one},
        batches={},
        attempts={},
        runs={"x": runs} if runs else {},
        lives={one.pid: one for one in lives or [life(A), life(B)]},
        recorded_by={("x", one["attempts"]): one["worker"]},
    )


def test_a_sound_execution_passes() -> None:
    found = evidence([ran()])

    assert [*soundness._what_succeeded_was_done(found)] == []
    assert [*soundness._extra_runs_are_explained(found)] == []
    assert [*soundness._two_runs_never_overlap(found)] == []
    assert [*soundness._nothing_starts_early(found)] == []
    assert [*soundness._workers_ended_as_documented(found)] == []
    assert [*soundness._every_execution_has_ended(found)] == []
    assert lost(found) == 0


@pytest.mark.parametrize("runs", [[], [ran(end=None)], [ran(pid=B)], [ran(attempt=2)]], ids=str)
def test_a_success_without_the_run_that_it_names_is_found(runs: list[BodyRun]) -> None:
    assert [*soundness._what_succeeded_was_done(evidence(runs))]


def test_a_second_run_that_no_fault_explains_is_found() -> None:
    found = evidence([ran(), ran(pid=B, start=12, end=13)])

    assert [*soundness._extra_runs_are_explained(found)]
    assert found.window(found.extra_runs()[0]) == ""


@pytest.mark.parametrize(
    ("how", "window"),
    [
        ({"ended_by": "kill", "code": -9, "ended_at": 10.5}, "D1"),
        ({"hurt_at": [10.5]}, "D1"),
        ({"hurt_at": [30.0]}, ""),
        ({"frozen": [(10.5, 13.0)]}, "D2"),
        ({"code": 70}, "D3"),
        ({"code": 1}, "D4"),
        ({"frozen": [(10.5, 10.9)]}, ""),
        ({"frozen": [(50.0, 55.0)]}, ""),
        ({"frozen": [(6.0, 9.9)]}, "D2"),
        ({"frozen": [(11.2, 11.9), (12.0, 12.9), (12.95, 15.0)]}, "D2"),
        ({"frozen": [(11.2, 11.9), (12.4, 13.0), (13.4, 14.8)]}, ""),
        ({"frozen": [(4.0, 8.5)]}, ""),
    ],
    ids=str,
)
def test_an_extra_run_falls_into_the_window_of_its_worker(how: dict[str, Any], window: str) -> None:
    runs = [ran(), ran(pid=B, start=14, end=15, attempt=2)]
    found = evidence(runs, of={"worker": "w12", "attempts": 2}, lives=[life(A, **how), life(B)])

    (extra,) = found.extra_runs()

    assert (extra.pid, found.window(extra)) == (A, window)


def test_of_two_runs_of_one_attempt_in_one_worker_the_last_was_recorded() -> None:
    runs = [ran(), ran(start=12.0, end=13.0)]
    found = evidence(runs, lives=[life(A, hurt_at=[11.5]), life(B)])

    assert found.extra_runs() == runs[:1]
    assert [*soundness._extra_runs_are_explained(found)] == []


def test_more_extra_runs_than_one_death_can_leave_are_found() -> None:
    runs = [ran(attempt=attempt, end=None) for attempt in range(1, 210)]
    found = evidence(runs, lives=[life(A, ended_by="kill", code=-9)])

    assert [*soundness._extra_runs_are_explained(found)]


def test_more_starts_after_a_thaw_than_there_are_threads_are_found() -> None:
    runs = [ran(attempt=attempt) for attempt in range(2, 8)]
    found = evidence(runs, lives=[life(A, frozen=[(5.0, 9.9)]), life(B)])

    assert [*soundness._extra_runs_are_explained(found)]


@pytest.mark.parametrize(
    "how",
    [{"frozen": [(9.0, 9.9)]}, {"frozen": [(5.0, 9.9)], "hurt_at": [11.2]}],
    ids=["within its lease", "killed after its new claims"],
)
def test_starts_after_a_thaw_that_its_lease_allows_are_not_held_against_it(how: Any) -> None:
    runs = [ran(attempt=attempt) for attempt in range(2, 8)]
    found = evidence(runs, lives=[life(A, **{"hurt_at": [11.2]} | how), life(B)])

    assert [*soundness._extra_runs_are_explained(found)] == []


def test_a_task_that_must_not_run_twice_is_watched() -> None:
    runs = [ran(end=None), ran(pid=B, start=14, end=15, attempt=2)]
    lives = [life(A, ended_by="kill", code=-9), life(B)]
    name = {"task_name": tasks.at_most_once.name, "worker": "w12", "attempts": 2}

    assert [*soundness._extra_runs_are_explained(evidence(runs, of=name, lives=lives))]


@pytest.mark.parametrize(("frozen", "passes"), [([], False), ([(10.5, 13.0)], True)])
@pytest.mark.parametrize("pids", [(A, B), (B, A)], ids=["the first", "the second"])
def test_two_runs_at_once_need_a_frozen_worker(
    frozen: list[Any], passes: bool, pids: tuple[int, int]
) -> None:
    runs = [ran(pid=pids[0], end=14.0), ran(pid=pids[1], start=13.5, end=15, attempt=2)]
    found = evidence(runs, lives=[life(A, frozen=frozen), life(B)])

    assert ([*soundness._two_runs_never_overlap(found)] == []) is passes


def test_an_early_start_is_found() -> None:
    assert [*soundness._nothing_starts_early(evidence([ran(start=9.99)]))]


@pytest.mark.parametrize("status", ["failed", "scheduled", "running", "missed"])
def test_another_end_than_the_task_has_is_found(status: str) -> None:
    assert [*soundness._every_execution_has_ended(evidence([ran()], of={"status": status}))]


def test_rows_that_are_missing_are_lost() -> None:
    found = evidence([ran()])
    found.run.promised = {1: 5}

    assert [*soundness._every_execution_has_ended(found)]
    assert lost(found) == 5


@pytest.mark.parametrize("how", [{"code": 1}, {"ended_by": ""}, {"ended_by": "kill"}], ids=str)
def test_an_end_that_is_not_documented_is_found(how: dict[str, Any]) -> None:
    found = evidence([ran()], lives=[life(A, **how), life(B)])

    assert [*soundness._workers_ended_as_documented(found)]


@pytest.mark.parametrize(("hurt_at", "passes"), [(99.5, True), (90.0, False)])
def test_a_drain_may_end_with_1_when_a_process_was_killed(hurt_at: float, passes: bool) -> None:
    found = evidence([ran()], lives=[life(A, code=1, hurt_at=[hurt_at]), life(B)])

    assert ([*soundness._workers_ended_as_documented(found)] == []) is passes


def test_the_ledger_pairs_starts_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text(
        "start x 1 11 10.0 9.5\nstart y 1 11 10.1 9.5\nend x 1 11 11.0 error\n"
        "start x 2 12 12.0 11.5\nend x 2 12 13.0 ok\n"
    )

    runs = read(path)

    assert [(one.attempt, one.pid, one.ended, one.outcome) for one in runs["x"]] == [
        (1, 11, 11.0, "error"),
        (2, 12, 13.0, "ok"),
    ]
    assert runs["y"][0].ended is None
