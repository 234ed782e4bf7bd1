"""How soon work goes on with the default settings: after a flush, and when machines are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import redis

from django_agenda.clock import now

from .crew import Crew
from .ground import Ground, enter
from .ledger import BodyRun, read

NEAR, FAR = 4_000, 20_000
NEAR_S, FAR_S = 28.0, 3600.0
FLUSHES = (7.0, 13.0, 19.0)
LONG_S = 120.0
BODIES = 4
AFTER_A_FLUSH_S, AFTER_A_LOSS_S = 5.0, 40.0


class Recovery:
    """Measure on servers of its own, with workers as a project has them that set nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ground = Ground("postgres", folder)
        enter(self.ground.environment() | {"AGENDA_TEST_OVERRIDES": json.dumps({})})
        self.crew = Crew(2, folder)

    def measure(self) -> dict[str, Any]:
        """Return the figures, each with its limit; what is above it is wrong."""
        figures = {
            f"FLUSHALL, {FAR + NEAR} executions waiting: latest start of what was due after it": (
                self.after_flushes(),
                AFTER_A_FLUSH_S,
            ),
            "one of two machines gone: its bodies run again after": (
                self.after_a_loss(self._lose_one),
                AFTER_A_LOSS_S,
            ),
            "every machine gone, a new one at once: their bodies run again after": (
                self.after_a_loss(self._lose_all),
                AFTER_A_LOSS_S,
            ),
        }
        wrong = [
            f"{name} {seconds} s, instead of {limit} s at most"
            for name, (seconds, limit) in figures.items()
            if seconds > limit
        ]
        named = {name: {"seconds": one, "limit": limit} for name, (one, limit) in figures.items()}
        return {"scenario": "recovery", "database": "postgres", "figures": named, "wrong": wrong}

    def after_flushes(self) -> float:
        """Return how late the latest start was of what became due after the first flush."""
        from django_agenda import Agenda
        from django_agenda.models import Execution
        from tests.waiting import wait_until

        from . import tasks

        self.crew.keep()
        self.crew.wait_until_ready()
        far = Agenda(tasks.calls(FAR)).scatter(
            start=now() + timedelta(hours=1), over=timedelta(seconds=FAR_S)
        )
        near = Agenda(tasks.calls(NEAR)).scatter(over=timedelta(seconds=NEAR_S))
        flushed: list[float] = []
        for offset in FLUSHES:
            moment = near.start + timedelta(seconds=offset)
            wait_until(lambda moment=moment: now() >= moment, NEAR_S, every=0.002)  # type: ignore[misc]
            with redis.Redis(unix_socket_path=self.ground.redis.path) as client:
                client.flushall()
            flushed.append(now().timestamp())
        live = Execution.objects.filter(batch=near).live()
        wait_until(lambda: not live.exists(), 90, every=0.1, what="the end of the batch")
        far.cancel()
        runs = read(self.ground.ledger).values()
        return _rounded(max(one[0].started - one[0].due for one in runs if one[0].due > flushed[0]))

    def after_a_loss(self, lose: Callable[[], float]) -> float:
        """Return when the last body of a lost worker ran again, in seconds after its end."""
        from django_agenda import Call, schedule_many
        from tests.waiting import wait_until

        from . import tasks

        calls = [Call(tasks.long_at_first, (LONG_S,)) for _ in range(BODIES)]
        ids = {row.pk.hex for row in schedule_many(calls)}
        wait_until(lambda: len(self._runs(ids)) == BODIES, 20, what="the bodies")
        lost_at = lose()
        dead = {life.pid for life in self.crew.lives if life.ended_by == "kill"}
        doomed = {one.id for one in self._runs(ids) if one.pid in dead}

        def again() -> list[BodyRun]:
            return [one for one in self._runs(doomed) if one.attempt == 2]

        wait_until(lambda: len(again()) == len(doomed), 120, every=0.05, what="the rescue")
        return _rounded(max(one.started for one in again()) - lost_at)

    def _lose_one(self) -> float:
        busy = {one.pid for one in self._runs(None) if one.ended is None}
        victim = next(life for life in self.crew.running if life.pid in busy)
        self.crew.kill(victim)
        return victim.ended_at

    def _lose_all(self) -> float:
        for life in self.crew.running:
            self.crew.kill(life)
        self.crew.keep()
        return max(life.ended_at for life in self.crew.lives)

    def _runs(self, ids: set[str] | None) -> list[BodyRun]:
        runs = read(self.ground.ledger)
        return [one for id_, group in runs.items() if ids is None or id_ in ids for one in group]

    def close(self) -> None:
        self.crew.close()
        from django.db import connections

        connections.close_all()
        self.ground.close()


def _rounded(seconds: float) -> float:
    return round(max(0.0, seconds), 1)
