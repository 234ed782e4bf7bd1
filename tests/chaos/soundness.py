"""What must hold after a run, whatever was done to it; see docs/explanation/reliability.md."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import redis
from django.contrib.auth.models import User
from django.core.management import call_command

from tests import sound
from tests.waiting import wait_until

from . import tasks
from .evidence import Evidence, gather, numbers
from .run import Run

# Moments of a plan are kept to the millisecond.
TOLERANCE_S = 0.002
# A database that is down keeps outcomes waiting; else a worker has few that are not stored.
LONGEST_LATE_S = {
    "mixed": 60.0,
    "redis": 15.0,
    "database": 15.0,
    "term": 15.0,
    "kill": 15.0,
    "none": 5.0,
}
JUST_BEFORE_S = 1.0
SHOWN = 5


def assert_sound(run: Run) -> dict[str, Any]:
    """Return the numbers of a run, with everything that is wrong under `wrong`."""
    evidence = gather(run)
    wrong = [
        f"{judge.__name__.removeprefix('_')}: {sentence}"
        for judge in JUDGES
        for sentence in _some(list(judge(evidence)))
    ]
    return run.describe() | numbers(evidence) | {"wrong": wrong}


def _some(sentences: list[str]) -> list[str]:
    more = [f"and {len(sentences) - SHOWN} more"] if len(sentences) > SHOWN else []
    return sentences[:SHOWN] + more


def _every_execution_has_ended(evidence: Evidence) -> Iterator[str]:
    if evidence.run.left:
        yield f"left after {evidence.run.seconds:.0f} s: {dict(evidence.run.left)}"
    sizes = Counter(row["batch_id"] for row in evidence.rows.values())
    for batch_id, size in evidence.run.promised.items():
        if sizes[batch_id] != size:
            yield f"batch {batch_id} has {sizes[batch_id]} rows, and was given {size} calls"
    for id_, row in evidence.rows.items():
        if row["status"] not in _expected(row):
            error = f"{row['failed_stage']} {row['error_class']}: {row['error_message']}"
            yield f"{id_} {row['task_name']} is {row['status']} {error}"


def _expected(row: dict[str, Any]) -> set[str]:
    if row["task_name"] == tasks.failing.name:
        return {"failed"}
    if row["task_name"] == tasks.at_most_once.name and row["failed_stage"] == "lost":
        return {"failed"}
    return {"succeeded"}


def _what_succeeded_was_done(evidence: Evidence) -> Iterator[str]:
    """Find the very run in the ledger whose outcome the row has."""
    names = {life.name: life.pid for life in evidence.lives.values()}
    for id_, row in evidence.rows.items():
        if row["status"] == "succeeded":
            token = (row["attempts"], names.get(row["worker"]), "ok")
            runs = evidence.runs.get(id_, [])
            if token not in [(one.attempt, one.pid, one.outcome) for one in runs]:
                yield f"{id_} succeeded as {token}, but the ledger has {runs}"


def _attempts_are_those_of_the_rows(evidence: Evidence) -> Iterator[str]:
    for id_, attempts in evidence.attempts.items():
        written = [one.number for one in attempts]
        last = evidence.rows[id_]["attempts"]
        if len(set(written)) != len(written) or max(written) != last:
            yield f"{id_} is at attempt {last}, and has written {written}"


def _extra_runs_are_explained(evidence: Evidence) -> Iterator[str]:
    settings = evidence.run.plan.settings
    # A worker that has so many to store claims no more, and has at most as many at hand.
    most = settings["CONCURRENCY"] + 2 * settings["MAX_UNSAVED"]
    by_life: Counter[tuple[int, str]] = Counter()
    for one in evidence.extra_runs():
        window = evidence.window(one)
        by_life[one.pid, window] += 1
        if not window:
            life, row = evidence.lives.get(one.pid), evidence.rows[one.id]
            end = f"{row['status']} at attempt {row['attempts']} of {row['worker']}"
            yield f"{one} of {life and life.describe()}, {end}: {evidence.runs[one.id]}"
    for (pid, window), number in by_life.items():
        if window and number > most * (1 + len(evidence.lives[pid].hurt_at)):
            yield f"{evidence.lives[pid].name} left {number} extra runs ({window})"
    thawed = Counter((one.pid, evidence.started_after_thaw(one)) for one in evidence.extra_runs())
    for (pid, moment), number in thawed.items():
        if moment is not None and number > settings["CONCURRENCY"]:
            yield f"{evidence.lives[pid].name} started {number} runs after it was thawed"
    for id_, row in evidence.rows.items():
        if row["task_name"] == tasks.at_most_once.name and len(evidence.runs.get(id_, ())) > 1:
            yield f"{id_} must run at most once: {evidence.runs[id_]}"


def _two_runs_never_overlap(evidence: Evidence) -> Iterator[str]:
    for runs in evidence.runs.values():
        for one, other in pairwise(runs):
            lives = [evidence.lives[run.pid] for run in (one, other)]
            # The later one may be the late start of a worker that was thawed.
            is_excused = any(map(evidence.was_frozen, (one, other), lives))
            if evidence.end_of(one) > other.started and not is_excused:
                yield f"{one} and {other} of {' and '.join(life.describe() for life in lives)}"


def _nothing_starts_early(evidence: Evidence) -> Iterator[str]:
    for id_, runs in evidence.runs.items():
        row = evidence.rows[id_]
        due = min(one.due for one in runs)
        if row["batch_id"]:
            start = evidence.batches[row["batch_id"]].start.timestamp()
            due = start + row["planned_offset_ms"] / 1000
        for one in runs:
            if one.started < max(due, one.due) - TOLERANCE_S:
                yield f"{one} started {max(due, one.due) - one.started:.3f} s early"
    for one, other in _retries(evidence):
        if other.started < (one.ended or 0) + tasks.SOON - TOLERANCE_S:
            yield f"{other} did not wait after {one}"


def _retries(evidence: Evidence) -> Iterator[tuple[Any, Any]]:
    """Give each run that failed and was recorded, and the run of the next attempt."""
    lost = {
        (id_, one.number)
        for id_, attempts in evidence.attempts.items()
        for one in attempts
        if one.outcome == "lost"
    }
    for runs in evidence.runs.values():
        for one, other in pairwise(runs):
            is_next = other.attempt == one.attempt + 1 and (one.id, one.attempt) not in lost
            if is_next and one.outcome == "error":
                yield one, other


def _each_batch_has_finished_once(evidence: Evidence) -> Iterator[str]:
    called = Counter(row["callback_of_id"] for row in evidence.rows.values())
    for batch in evidence.batches.values():
        expected = 2 if batch.failed else 1
        if batch.finished_at is None or not batch.is_finished:
            yield f"batch {batch.pk} has not finished: {batch.describe()}"
        if called[batch.pk] != expected:
            yield f"batch {batch.pk} has {called[batch.pk]} callbacks instead of {expected}"


def _counts_equal_rows(evidence: Evidence) -> Iterator[str]:
    try:
        sound.assert_sound()
    except AssertionError as error:
        yield str(error)


def _effects_in_the_database_happened_once(evidence: Evidence) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for name in User.objects.values_list("username", flat=True):
        id_, attempt, _ = name.split(" ")
        found.setdefault(id_, []).append(attempt)
    for id_, row in evidence.rows.items():
        if row["task_name"] == tasks.together.name:
            expected = [str(row["attempts"])] if row["status"] == "succeeded" else []
            if found.get(id_, []) != expected:
                yield f"{id_} at attempt {row['attempts']} has left {found.get(id_, [])}"


def _redis_holds_nothing_that_has_ended(evidence: Evidence) -> Iterator[str]:
    said = io.StringIO()
    call_command("agenda_reconcile", json=True, stdout=said)
    report = json.loads(said.getvalue())
    if report["drifts"] or report["never_told"] or report["missing"]:
        yield f"agenda_reconcile had to repair {report}"
    path = evidence.run.ground.redis.path
    with redis.Redis(unix_socket_path=path, decode_responses=True) as client:
        if ids := sound.ids_in_redis(client):
            yield f"Redis holds {len(ids)} ids of executions that have ended"
        try:
            sound.assert_no_key_is_forgotten(client)
        except AssertionError as error:
            yield str(error)


def _no_session_is_left(evidence: Evidence) -> Iterator[str]:
    postgres = evidence.run.ground.postgres
    if postgres is None:
        return
    question = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
    )
    try:
        wait_until(lambda: postgres.say(question) == [(0,)], 5, what="the end of the sessions")
    except AssertionError as error:
        yield str(error)


def _nothing_is_too_late(evidence: Evidence) -> Iterator[str]:
    latest, most = numbers(evidence)["late_max"], LONGEST_LATE_S[evidence.run.plan.scenario]
    if latest > most:
        yield f"something started {latest} s late, instead of {most} at most"


def _workers_ended_as_documented(evidence: Evidence) -> Iterator[str]:
    codes = {"kill": {-9}, "term": {0}, "term before it worked": {0, -15}}
    for life in evidence.lives.values():
        # One of its processes was killed before or while it drained: not everything was finished.
        is_hurt = any(moment > life.ended_at - JUST_BEFORE_S for moment in life.hurt_at)
        if life.code not in codes.get(life.ended_by, set()) | ({1} if is_hurt else set()):
            how = f"ended by {life.ended_by!r}, with {life.code}"
            yield f"{life.name}, {how}: {life.output[-3000:]}"


def _no_worker_met_an_error_of_its_own(evidence: Evidence) -> Iterator[str]:
    for life in evidence.lives.values():
        place = life.output.find("trouble_began part=worker")
        if place >= 0:
            yield f"{life.name}: {life.output[place : place + 3000]}"


JUDGES: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    _every_execution_has_ended,
    _what_succeeded_was_done,
    _attempts_are_those_of_the_rows,
    _extra_runs_are_explained,
    _two_runs_never_overlap,
    _nothing_starts_early,
    _each_batch_has_finished_once,
    _counts_equal_rows,
    _effects_in_the_database_happened_once,
    _redis_holds_nothing_that_has_ended,
    _no_session_is_left,
    _nothing_is_too_late,
    _workers_ended_as_documented,
    _no_worker_met_an_error_of_its_own,
)
