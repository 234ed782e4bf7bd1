"""The crash points: between which two steps a process ends, stops, or loses an answer.

The numbers are those of the protocol's list of crash points. A pop from Redis is final here:
nothing is withdrawn after an outcome (12), and a pop that is lost is found by the overdue scan (5).

`may_rerun` marks the points in whose window the promise is at-least-once: what was started and
not yet stored when the process ended may run again. At all others nothing runs twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .trap import Trap

WORKER = "django_agenda.worker."
SCHEDULING = "django_agenda.scheduling."
BROKER = "django_agenda.broker.broker:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Say who runs into which traps, doing what.

    Scenes: "plain" (a batch that is due waits), "orphans" (it runs under a lost worker),
    "forgotten" (Redis was flushed), "none" (the process scatters it itself), "ticks" (instead of
    a batch, as many schedules have a tick that has come).
    """

    point: int
    name: str
    traps: tuple[Trap, ...]
    role: str = "worker"
    scene: str = "plain"
    task: str = "note"
    may_rerun: bool = False
    is_written: bool = True
    ends_with: int = 0
    settings: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"C{self.point}-{self.name}-{self.traps[-1].act}"


def _cases(
    point: int,
    name: str,
    at: str,
    acts: str,
    *,
    error: str = "database",
    number: int = 1,
    is_after: bool = False,
    is_commit: bool = False,
    reruns: tuple[str, ...] = (),
    **more: Any,
) -> list[Case]:
    """Return a case for each act; whoever is not told what becomes of a thing is never `after`."""
    found = []
    for act in acts.split():
        trap = Trap(
            at=at,
            act=act,
            error=error,
            number=number,
            is_commit=is_commit,
            is_after=is_after and act in ("exit", "freeze"),
        )
        found.append(Case(point=point, name=name, traps=(trap,), may_rerun=act in reruns, **more))
    return found


ALL = "exit error lost freeze"
GONE = ("exit", "freeze")
SCATTER: dict[str, Any] = {"role": "scatter", "scene": "none"}
UNHEARD: dict[str, Any] = {"is_after": True, "is_commit": True}
REFUSED: dict[str, Any] = {"error": "broker"}
TICKS: dict[str, Any] = {"scene": "ticks", "reruns": GONE}

CASES: list[Case] = [
    # --- a scatter ---
    *_cases(
        1,
        "rows written, not committed",
        f"{SCHEDULING}scatter:_close_if_ended",
        "exit error",
        is_written=False,
        **SCATTER,
    ),
    *_cases(
        1,
        "at the commit",
        f"{SCHEDULING}scatter:in_transaction",
        "exit error",
        is_commit=True,
        is_written=False,
        **SCATTER,
    ),
    *_cases(1, "stopped before the commit", f"{SCHEDULING}scatter:write", "freeze", **SCATTER),
    *_cases(
        2,
        "commit unheard",
        f"{SCHEDULING}scatter:in_transaction",
        "exit lost freeze",
        **UNHEARD,
        **SCATTER,
    ),
    *_cases(2, "committed, not told", f"{SCHEDULING}scatter:enqueue_batch", ALL, **SCATTER),
    *_cases(3, "told of one chunk", f"{BROKER}add", ALL, number=2, **REFUSED, **SCATTER),
    *_cases(4, "told, not marked", f"{SCHEDULING}enqueue:_mark", ALL, number=2, **SCATTER),
    # --- a claim ---
    *_cases(5, "pop unheard", f"{BROKER}claim", "exit lost", **REFUSED),
    *_cases(5, "popped, not claimed", f"{WORKER}claimer:claim", "exit error freeze"),
    *_cases(6, "claim unheard", f"{WORKER}claimer:claim", ALL, **UNHEARD),
    *_cases(7, "claimed, not started", f"{WORKER}claimer:Claimer._start_all", "exit freeze"),
    *_cases(7, "in a thread, not started", f"{WORKER}pools:run", "exit freeze"),
    # --- a body and its outcome ---
    *_cases(
        8,
        "in the body",
        "tests.chaos.failpoints.bodies:in_the_body",
        "exit freeze",
        reruns=GONE,
    ),
    *_cases(
        9,
        "body ended, outcome not kept",
        f"{WORKER}recorder:Recorder.put",
        "exit freeze",
        reruns=GONE,
    ),
    *_cases(10, "outcome not stored", f"{WORKER}recorder:record", "exit error freeze", reruns=GONE),
    *_cases(11, "outcome unheard", f"{WORKER}recorder:record", ALL, reruns=GONE, **UNHEARD),
    *_cases(12, "stored, not announced", f"{WORKER}recorder:announce", ALL, reruns=GONE),
    *_cases(
        13,
        "retry stored, not told",
        f"{WORKER}recorder:enqueue",
        ALL,
        task="stumble",
        reruns=GONE,
        **REFUSED,
    ),
    *_cases(
        14,
        "batch ended, callback not told",
        f"{WORKER}recorder:enqueue",
        ALL,
        reruns=GONE,
        **REFUSED,
    ),
    # --- the chores ---
    *_cases(
        15,
        "rescued, not told",
        "django_agenda.scheduling.enqueue:enqueue",
        ALL,
        scene="orphans",
        **REFUSED,
    ),
    *_cases(16, "declared lost, not rescued", f"{WORKER}rescue:rescue", ALL, scene="orphans"),
    *_cases(
        17,
        "half refilled",
        f"{SCHEDULING}reconcile:_enqueue",
        ALL,
        number=2,
        scene="forgotten",
        reruns=GONE,
        **REFUSED,
    ),
    *_cases(
        17,
        "refilled, not marked",
        f"{BROKER}mark_filled",
        ALL,
        scene="forgotten",
        reruns=GONE,
        **REFUSED,
    ),
    *_cases(18, "cancelled, not withdrawn", f"{BROKER}remove", ALL, role="cancel", **REFUSED),
    *_cases(
        21,
        "leading, half of the chores done",
        f"{WORKER}caretaker:Caretaker._heal_broker",
        ALL,
        scene="forgotten",
    ),
    # --- the ticks of schedules ---
    *_cases(19, "tick not written", f"{SCHEDULING}tick:fire", ALL.replace("lost ", ""), **TICKS),
    *_cases(19, "moved, run not written", f"{SCHEDULING}tick:write", "exit error freeze", **TICKS),
    *_cases(19, "run written, not committed", f"{SCHEDULING}tick:write", "lost", **TICKS),
    *_cases(19, "commit unheard", f"{SCHEDULING}tick:in_transaction", ALL, **UNHEARD, **TICKS),
    *_cases(19, "committed, not told", f"{SCHEDULING}tick:tell", ALL, **REFUSED, **TICKS),
    *_cases(19, "told of one chunk", f"{SCHEDULING}tick:tell", ALL, number=2, **REFUSED, **TICKS),
    # --- an end ---
    *_cases(
        20,
        "not draining yet",
        f"{WORKER}heart:Heart.drain",
        ALL,
        task="stop_the_worker",
        reruns=GONE,
    ),
    *_cases(
        20,
        "draining, not given back",
        f"{WORKER}worker:return_claims",
        ALL,
        task="stop_the_worker",
        reruns=GONE,
    ),
    *_cases(
        20,
        "given back, not told",
        f"{WORKER}worker:enqueue",
        ALL,
        task="stop_the_worker",
        reruns=GONE,
        **REFUSED,
    ),
    *_cases(
        20,
        "ended, outcomes not stored",
        f"{WORKER}recorder:Recorder.stop",
        "exit freeze",
        task="stop_the_worker",
        reruns=GONE,
    ),
    *_cases(20, "ended, not said", f"{WORKER}heart:Heart.stop", ALL, task="stop_the_worker"),
]

_HANGS = Trap(at=f"{WORKER}recorder:record", act="hang")
_WATCHED: dict[str, object] = {"WATCHDOG": 0.4}
CASES += [
    Case(
        point=22,
        name="the watchdog, after the last flush",
        traps=(_HANGS,),
        ends_with=70,
        settings=_WATCHED,
    ),
    Case(
        point=19,
        name="the watchdog of a ticker that hangs",
        traps=(Trap(at=f"{WORKER}ticker:fire_due", act="hang"),),
        scene="ticks",
        ends_with=70,
        settings=_WATCHED,
    ),
    Case(
        point=22,
        name="the watchdog, before the last flush",
        traps=(_HANGS, Trap(at=f"{WORKER}watchdog:_within", act="exit")),
        may_rerun=True,
        settings=_WATCHED,
    ),
]
