"""What a run has left behind: rows, the ledger, and the lives of the workers, side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django_agenda.models import Attempt, Batch, Execution

from .crew import Life
from .ledger import OK, BodyRun, read
from .run import Run

# An outcome that waits in memory for a database that is down, or has too much to do, is lost with
# its process, or its lease, that much later at most.
UNSTORED_S = 10.0
# A thread looks at the lease, and then starts the body; a body of its own transaction connects to
# the database in between. One that was frozen there starts it when it is thawed: at most one body
# for each thread. On a machine with too much to do that was seen 0.02 s and 0.44 s after the thaw.
LAST_LOOK_S = 1.0


@dataclass(slots=True)
class Evidence:
    """Hold everything that the judges look at; ids are hexadecimal."""

    run: Run
    rows: dict[str, dict[str, Any]]
    batches: dict[int, Batch]
    attempts: dict[str, list[Attempt]]
    runs: dict[str, list[BodyRun]]
    lives: dict[int, Life]
    recorded_by: dict[tuple[str, int], str] = field(default_factory=dict)
    """The worker that recorded an outcome, by execution and attempt."""

    def extra_runs(self) -> list[BodyRun]:
        """Return the runs whose outcome no row has.

        What had ended when its process was killed, and was not stored, is given back uncounted: of
        two runs of one attempt in one worker the last is the one that was recorded.
        """
        extra: list[BodyRun] = []
        for runs in self.runs.values():
            taken: set[tuple[str, int]] = set()
            for one in reversed(runs):
                token = (one.id, one.attempt)
                life = self.lives.get(one.pid)
                is_recorded = life is not None and self.recorded_by.get(token) == life.name
                if is_recorded and token not in taken:
                    taken.add(token)
                else:
                    extra.append(one)
        return extra

    def window(self, one: BodyRun) -> str:
        """Return which window an extra run fell into, or nothing."""
        life = self.lives.get(one.pid)
        if life is None:
            return ""
        if self.was_frozen(one, life):
            return "D2"
        if self._was_killed(one, life):
            return "D1"
        return {70: "D3", 1: "D4"}.get(life.code or 0, "")

    def was_frozen(self, one: BodyRun, life: Life) -> bool:
        """Tell whether its worker stood still past its lease while this ran, or just after."""
        last = float("inf") if one.ended is None else one.ended + UNSTORED_S
        return any(
            since <= last and until + LAST_LOOK_S >= one.started
            for since, until in self._stills(life)
        )

    def _stills(self, life: Life) -> list[tuple[float, float]]:
        """Return when a worker stood still past its lease.

        Between two freezes it needs time to beat once.
        """
        settings = self.run.plan.settings
        longest = settings["WORKER_TTL"] - 2 * settings["HEARTBEAT"]
        stills: list[tuple[float, float]] = []
        for since, until in life.frozen:
            if stills and since - stills[-1][1] < settings["HEARTBEAT"]:
                stills[-1] = (stills[-1][0], until)
            else:
                stills.append((since, until))
        return [(since, until) for since, until in stills if until - since >= longest]

    def started_after_thaw(self, one: BodyRun) -> float | None:
        """Return the end of the freeze, past the lease, that this run was started after.

        One whose process was killed soon after tells nothing: it may well have been claimed anew.
        """
        life = self.lives.get(one.pid)
        if life is None or self._was_killed(one, life):
            return None
        for _, until in self._stills(life):
            if until < one.started <= until + LAST_LOOK_S:
                return until
        return None

    def end_of(self, one: BodyRun) -> float:
        """Return when a run was over, by itself or with its worker."""
        if one.ended is not None:
            return one.ended
        life = self.lives.get(one.pid)
        if life is None:
            return float("inf")
        died_at = life.ended_at if life.ended_by == "kill" else float("inf")
        return min(died_at, self._died_of(one, life) or died_at)

    def _was_killed(self, one: BodyRun, life: Life) -> bool:
        return life.ended_by == "kill" or self._died_of(one, life) is not None

    def _died_of(self, one: BodyRun, life: Life) -> float | None:
        """Return when a process of its worker was killed while this ran, or just after."""
        last = float("inf") if one.ended is None else one.ended + UNSTORED_S
        return next((moment for moment in life.hurt_at if one.started <= moment <= last), None)


def gather(run: Run) -> Evidence:
    """Read the rows and the ledger."""
    fields = (
        "pk", "status", "attempts", "crashes", "task_name", "worker", "batch_id", "failed_stage",
        "callback_of_id", "planned_offset_ms", "due_at", "error_class", "error_message",
    )  # fmt: skip
    rows = {row["pk"].hex: row for row in Execution.objects.values(*fields)}
    attempts: dict[str, list[Attempt]] = {}
    for attempt in Attempt.objects.order_by("execution_id", "number").defer("traceback"):
        attempts.setdefault(attempt.execution_id.hex, []).append(attempt)
    evidence = Evidence(
        run=run,
        rows=rows,
        batches=Batch.objects.in_bulk(),
        attempts=attempts,
        runs=read(run.ground.ledger),
        lives={life.pid: life for life in run.crew.lives},
    )
    for id_, row in rows.items():
        if row["status"] == "succeeded":
            evidence.recorded_by[id_, row["attempts"]] = row["worker"]
        for one in attempts.get(id_, ()):
            if one.outcome != Attempt.Outcome.LOST:
                evidence.recorded_by[id_, one.number] = one.worker
    return evidence


def numbers(evidence: Evidence) -> dict[str, Any]:
    """Return what the run came to, as plain values."""
    planned = {
        id_: evidence.batches[row["batch_id"]].start.timestamp() + row["planned_offset_ms"] / 1000
        for id_, row in evidence.rows.items()
        if row["batch_id"]
    }
    late = sorted(
        runs[0].started - planned[id_] for id_, runs in evidence.runs.items() if id_ in planned
    )
    extra = evidence.extra_runs()
    return {
        "rows": len(evidence.rows),
        "lost": lost(evidence),
        "statuses": dict(Counter(row["status"] for row in evidence.rows.values())),
        "bodies": sum(map(len, evidence.runs.values())),
        "crashes": sum(row["crashes"] for row in evidence.rows.values()),
        "extra_runs": len(extra),
        "extra_by_window": dict(Counter(evidence.window(one) or "none" for one in extra)),
        "late_p50": _at(late, 0.5),
        "late_p99": _at(late, 0.99),
        "late_max": _at(late, 1),
        "rerun_after_kill_max": _slowest_rerun(evidence, extra),
        "exit_codes": dict(
            Counter(f"{life.ended_by}: {life.code}" for life in evidence.lives.values())
        ),
    }


def lost(evidence: Evidence) -> int:
    """Count what was promised or written down, and never ended or never really ran."""
    sizes = Counter(row["batch_id"] for row in evidence.rows.values())
    promised = evidence.run.promised.items()
    missing = sum(max(0, size - sizes[batch_id]) for batch_id, size in promised)
    done = {id_ for id_, runs in evidence.runs.items() if any(one.outcome == OK for one in runs)}
    unreal = sum(
        row["status"] == "succeeded" and id_ not in done for id_, row in evidence.rows.items()
    )
    return int(missing + unreal + evidence.run.left.total())


def _at(values: list[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(len(values) * share))], 3) if values else 0.0


def _slowest_rerun(evidence: Evidence, extra: list[BodyRun]) -> float:
    waits = [0.0]
    for one in extra:
        life = evidence.lives.get(one.pid)
        if life is not None and life.ended_by == "kill":
            later = [
                other.started for other in evidence.runs[one.id] if other.started > life.ended_at
            ]
            waits += [min(later) - life.ended_at] if later else []
    return round(max(waits), 3)
