"""One run: executions, workers that are kept alive, and faults; then everything is judged."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django_agenda.clock import monotonic

from .crew import Crew
from .faults import Faults, kinds
from .ground import Ground, enter

SHORT_LEASES: dict[str, Any] = {
    "HEARTBEAT": 0.25,
    "WORKER_TTL": 2.0,
    "CARETAKER_INTERVAL": 0.2,
    "ENQUEUE_GRACE": 1.0,
    "AUDIT_INTERVAL": 5.0,
    "MAX_BLOCK": 0.5,
    "MAX_UNSAVED": 100,
    "CONCURRENCY": 4,
    # So that every row ends as its task says, however often its workers are killed.
    "MAX_CRASHES": 1000,
}
TICK_S = 0.02
LOOK_S = 0.25
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold what is asked of a run."""

    scenario: str
    database: str
    executions: int
    faults: int
    seconds: float
    seed: int
    workers: int = 3
    settings: dict[str, Any] = field(default_factory=lambda: dict(SHORT_LEASES))


class Run:
    """Own the servers, the workers and the ledger of one plan."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.ground = Ground(plan.database, folder)
        overrides = {"AGENDA_TEST_OVERRIDES": json.dumps(plan.settings)}
        enter(self.ground.environment() | overrides)
        self.crew = Crew(plan.workers, folder)
        self.faults = Faults(
            self.ground,
            self.crew,
            kinds(plan.scenario, plan.database),
            number=plan.faults,
            seconds=plan.seconds,
            ttl=plan.settings["WORKER_TTL"],
            seed=plan.seed,
        )
        self.promised: dict[int, int] = {}
        self.left: Counter[str] = Counter()
        self.seconds = 0.0

    def go(self) -> None:
        """Start, hurt, wait until everything has ended, and drain the workers."""
        from .producer import Producer

        self.crew.keep()
        self.crew.wait_until_ready()
        producer = Producer(self.plan.executions, self.plan.seconds)
        began = monotonic()
        producer.start()
        self._hurt(began, producer)
        if producer.error is not None:
            raise producer.error
        self.promised = producer.promised
        self.seconds = monotonic() - began
        self.crew.drain()

    def _hurt(self, began: float, producer: threading.Thread) -> None:
        tick = threading.Event()
        look_at, give_up_at = 0.0, float("inf")
        while True:
            self.faults.step(monotonic() - began)
            self.crew.keep()
            if self.faults.are_over and not producer.is_alive():
                give_up_at = min(give_up_at, monotonic() + PATIENCE_S)
                if monotonic() >= look_at:
                    self.left = _live()
                    look_at = monotonic() + LOOK_S
                    if not self.left or monotonic() > give_up_at:
                        return
            tick.wait(TICK_S)

    def close(self) -> None:
        self.crew.close()
        (self.folder / "faults.log").write_text("\n".join(self.faults.log))
        from django.db import connections

        connections.close_all()
        self.ground.close()

    def describe(self) -> dict[str, Any]:
        """Return what was asked, and what was done."""
        return asdict(self.plan) | {
            "faults_by_kind": dict(self.faults.done),
            "answers_lost": self.ground.redis_proxy.lost
            + (self.ground.database_proxy.lost if self.ground.database_proxy else 0),
            "workers_started": len(self.crew.lives),
            "took": round(self.seconds, 1),
        }


def _live() -> Counter[str]:
    from django_agenda.models import Execution

    from .producer import persist

    return persist(lambda: Counter(Execution.objects.live().values_list("status", flat=True)))
