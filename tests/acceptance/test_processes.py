"""The worker's processes: who replaces whom, who is blamed, and how all of them end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from django.contrib.auth.models import User

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import monotonic, now
from django_agenda.models import Batch, Execution, Worker
from tests import process_tasks as tasks
from tests.conftest import RedisServer
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
# The lease is long: whatever is put right here must not have waited for it to lapse.
QUICK = {
    "HEARTBEAT": 0.5,
    "WORKER_TTL": 60.0,
    "CARETAKER_INTERVAL": 0.2,
    "MAX_BLOCK": 0.5,
    "HARD_TIMEOUT_GRACE": 0.4,
}

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db", "redis_server")]


class Program:
    """Hold `manage.py run_agenda_worker`, the supervisor, and know its children."""

    def __init__(self, arguments: list[str], settings: dict[str, Any]) -> None:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "AGENDA_TEST_OVERRIDES": json.dumps(QUICK | settings),
        }
        environment.pop("PYTEST_VERSION", None)
        # A file and not a pipe, so that it can be read while the worker runs.
        self._file = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "django", "run_agenda_worker", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self._popen.pid

    @property
    def output(self) -> str:
        return os.pread(self._file.fileno(), 1_000_000, 0).decode()

    def members(self) -> set[int]:
        """Return every process of its session that lives, itself among them."""
        found = set()
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.pid and fields[0] != "Z":
                found.add(int(path.parent.name))
        return found

    def wait_until_active(self, count: int = 1) -> set[int]:
        """Return the process ids of so many active workers."""
        active = Worker.objects.filter(status="active")
        wait_until(lambda: active.count() == count or self._popen.poll() is not None, 30)
        assert self._popen.poll() is None, self.output
        return set(active.values_list("pid", flat=True))

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def end(self, timeout: float = 25) -> int:
        code = self._popen.wait(timeout)
        sys.stdout.write(self.output)
        return code

    def close(self) -> None:
        """End every process of its session, also those that are forked meanwhile."""
        wait_until(lambda: not self._kill(), 20, what="the end of the worker's processes")
        self._popen.wait()
        sys.stdout.write(self.output)
        self._file.close()

    def _kill(self) -> set[int]:
        members = self.members()
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return members


class Start(Protocol):
    def __call__(self, *arguments: str, **settings: Any) -> Program: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a worker; all of its processes are ended after the test."""
    started: list[Program] = []

    def begin(*arguments: str, **settings: Any) -> Program:
        started.append(Program(list(arguments), settings))
        return started[-1]

    yield begin
    for program in started:
        program.close()


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(tmp_path / "ledger")


def at_once(*calls: Call) -> Batch:
    return Agenda(list(calls)).scatter(start=now(), over=timedelta(microseconds=1))


def assert_counts(batch: Batch, **expected: int) -> None:
    batch.refresh_from_db()
    counts = {name: getattr(batch, name) for name in Batch.COUNTS if getattr(batch, name)}
    assert counts == expected


# --- children that die ---


def test_what_a_killed_child_ran_is_blamed_and_runs_again_at_once(
    start: Start, ledger: str, tmp_path: Path
) -> None:
    end = str(tmp_path / "end")
    program = start("--concurrency", "1")
    (pid,) = program.wait_until_active()
    running = schedule(tasks.wait_for_file)(ledger, "ran", end)
    wait_until(lambda: tasks.lines(ledger), 20)

    os.kill(pid, signal.SIGKILL)
    began = monotonic()

    wait_until(lambda: tasks.lines(ledger) == ["ran", "ran"], 20)
    took = monotonic() - began
    Path(end).touch()
    program.send(signal.SIGTERM)

    assert program.end() == 0
    running.refresh_from_db()
    assert (running.status, running.crashes, running.attempts) == ("succeeded", 1, 2)
    assert took < 5, "2 s are promised, on a machine that has nothing else to do."
    assert Worker.objects.get(pid=pid).status == "lost"


def test_what_was_merely_claimed_is_given_back_uncounted(start: Start, ledger: str) -> None:
    program = start("--concurrency", "4", LOOKAHEAD=60)
    (pid,) = program.wait_until_active()
    rows = [schedule(tasks.note, after=4)(ledger, "ran") for _ in range(3)]
    wait_until(lambda: Execution.objects.filter(status="running").count() == 3, 20)

    os.kill(pid, signal.SIGKILL)
    for row in rows:
        row.wait(20)
    program.send(signal.SIGTERM)

    assert program.end() == 0
    for row in rows:
        row.refresh_from_db()
        assert (row.crashes, row.attempts) == (0, 1)
    assert tasks.lines(ledger) == ["ran"] * 3


def test_a_body_that_kills_its_process_runs_again_in_another(start: Start, ledger: str) -> None:
    program = start()
    row = schedule(tasks.kill_the_process_once)(ledger)

    assert row.wait(20) == "ended"

    program.send(signal.SIGTERM)
    assert program.end() == 0
    row.refresh_from_db()
    assert (row.crashes, row.attempts) == (1, 2)
    assert f"code={-signal.SIGKILL}" in program.output


# --- ends ---


def test_two_processes_share_the_work_and_drain_together(start: Start, ledger: str) -> None:
    program = start("--processes", "2", "--concurrency", "1", "--worker-id", "w")
    assert len(program.wait_until_active(2)) == 2
    batch = at_once(*[Call(tasks.note, (ledger, str(n))) for n in range(200)])
    wait_until(lambda: len(tasks.lines(ledger)) == 200, 20)

    program.send(signal.SIGTERM)

    assert program.end() == 0
    assert sorted(map(int, tasks.lines(ledger))) == list(range(200))
    assert_counts(batch, succeeded=200)
    assert set(Worker.objects.values_list("name", "status")) == {
        ("w-1", "stopped"),
        ("w-2", "stopped"),
    }
    assert program.members() == set()


def test_a_burst_of_two_processes_ends_by_itself(start: Start, ledger: str) -> None:
    batch = at_once(*[Call(tasks.note, (ledger, str(n))) for n in range(100)])
    batch_2 = at_once(Call(tasks.kill_the_process_once, (f"{ledger}-2",)))

    assert start("--burst", "--processes", "2").end() == 0

    assert_counts(batch, succeeded=100)
    assert_counts(batch_2, succeeded=1)


def test_max_tasks_is_exact_over_all_processes(start: Start, ledger: str) -> None:
    at_once(*[Call(tasks.note, (ledger, str(n))) for n in range(50)])

    assert start("--max-tasks", "9", "--processes", "2").end() == 0

    assert len(tasks.lines(ledger)) == 9


def test_the_second_signal_gives_back_and_the_third_ends_at_once(
    start: Start, ledger: str, tmp_path: Path
) -> None:
    program = start("--concurrency", "1")
    (pid,) = program.wait_until_active()
    row = schedule(tasks.wait_for_file)(ledger, "ran", str(tmp_path / "never"))
    wait_until(lambda: tasks.lines(ledger), 20)
    program.send(signal.SIGTERM)
    wait_until(lambda: Worker.objects.get(pid=pid).status == "draining", 20)

    program.send(signal.SIGTERM)

    assert program.end(15) == 1
    row.refresh_from_db()
    assert (row.status, row.attempts, row.crashes) == ("scheduled", 0, 0)
    other = start("--concurrency", "1")
    wait_until(lambda: len(tasks.lines(ledger)) == 2, 20)
    (pid,) = other.wait_until_active()
    os.kill(pid, signal.SIGSTOP)

    def has_ended() -> bool:
        other.send(signal.SIGTERM)
        return not other.members() - {other.pid}

    wait_until(has_ended, 20, every=0.1, what="the end of all processes")
    assert other.end() == 1


def test_a_signal_to_the_whole_group_counts_once(start: Start, ledger: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    program = start("--processes", "2")
    program.wait_until_active(2)
    row = schedule(tasks.wait_for_file)(ledger, "ran", str(end))
    wait_until(lambda: tasks.lines(ledger), 20)

    os.killpg(program.pid, signal.SIGINT)
    os.killpg(program.pid, signal.SIGCONT)
    wait_until(lambda: not Worker.objects.filter(status="active").exists(), 20)
    end.touch()

    assert program.end() == 0
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("succeeded", 1)


def test_a_killed_supervisor_leaves_nothing_behind(
    start: Start, ledger: str, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    program = start("--processes", "2")
    program.wait_until_active(2)
    row = schedule(tasks.wait_for_file)(ledger, "ran", str(end))
    wait_until(lambda: tasks.lines(ledger), 20)

    program.send(signal.SIGKILL)
    wait_until(lambda: not Worker.objects.filter(status="active").exists(), 20)
    end.touch()

    wait_until(lambda: not program.members(), 10, what="the end of the children")
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("succeeded", 1)


# --- time-outs that are not heeded ---


def test_a_stuck_body_ends_with_its_process_and_its_neighbours_run_once(
    start: Start, ledger: str, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    program = start("--concurrency", "4")
    (pid,) = program.wait_until_active()
    neighbours = at_once(*[Call(tasks.wait_for_file, (ledger, str(n), str(end))) for n in range(2)])
    wait_until(lambda: len(tasks.lines(ledger)) == 2, 20)
    stuck = schedule(tasks.sleep_over_the_timeout)(f"{ledger}-stuck", 3600)

    wait_until(lambda: Execution.objects.get(pk=stuck.pk).status == "failed", 20)
    wait_until(lambda: Worker.objects.filter(status="active").exclude(pid=pid).exists(), 20)
    after = schedule(tasks.note)(f"{ledger}-after", "ran")
    assert after.wait(20) != pid
    assert pid in program.members(), "It waits for its other bodies."
    end.touch()
    wait_until(lambda: pid not in program.members(), 20)
    program.send(signal.SIGTERM)

    assert program.end() == 0
    stuck.refresh_from_db()
    assert (stuck.error_class, stuck.failed_stage, stuck.attempts, stuck.crashes) == (
        "TimeoutError",
        "timeout",
        1,
        0,
    )
    assert "time.sleep(seconds)" in stuck.traceback
    assert_counts(neighbours, succeeded=2)
    assert sorted(tasks.lines(ledger)) == ["0", "0 ended", "1", "1 ended"]
    assert "code=75" in program.output


def test_a_stuck_body_is_tried_again_once_its_process_has_ended(start: Start, ledger: str) -> None:
    program = start()
    row = schedule(tasks.sleep_at_the_first_try)(ledger, 3600)

    assert row.wait(20) == "in time"

    row.refresh_from_db()
    assert (row.attempts, row.crashes) == (2, 0)
    first, second = tasks.lines(ledger)
    assert first != second
    assert int(first) not in program.members()


def test_a_coroutine_that_blocks_its_loop_is_stuck_as_well(start: Start) -> None:
    start()
    row = schedule(tasks.block_the_loop)(3600)

    wait_until(lambda: Execution.objects.get(pk=row.pk).status == "failed", 20)

    row.refresh_from_db()
    assert (row.error_class, row.failed_stage) == ("TimeoutError", "timeout")


def test_a_body_that_holds_the_interpreter_is_ended_by_the_supervisor(
    start: Start, ledger: str, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    program = start("--concurrency", "2")
    (pid,) = program.wait_until_active()
    neighbour = schedule(tasks.wait_for_file)(ledger, "ran", str(end))
    wait_until(lambda: tasks.lines(ledger), 20)
    stuck = schedule(tasks.hold_the_interpreter)(f"{ledger}-stuck")

    wait_until(lambda: Execution.objects.get(pk=stuck.pk).status == "failed", 20)
    end.touch()
    neighbour.wait(20)

    stuck.refresh_from_db()
    neighbour.refresh_from_db()
    assert (stuck.error_class, stuck.failed_stage) == ("TimeoutError", "timeout")
    assert (stuck.attempts, stuck.crashes) == (1, 0)
    assert (neighbour.attempts, neighbour.crashes) == (1, 0)
    assert pid not in program.members()


# --- bodies that compute ---


def test_bodies_that_compute_run_in_parallel_each_in_its_own_process(start: Start) -> None:
    program = start("--cpu-processes", "2")
    program.wait_until_active()
    batch = at_once(*[Call(tasks.compute, (0.7,)) for _ in range(4)])

    wait_until(lambda: batch.executions.filter(status="succeeded").count() == 4, 30)

    values: list[Any] = [row.return_value for row in batch.executions.all()]
    assert len({pid for pid, _, _ in values}) == 2
    first, second = sorted(values, key=lambda value: value[1])[:2]
    assert second[1] < first[2], "The second began only when the first had ended."
    program.send(signal.SIGTERM)
    assert program.end() == 0
    assert program.members() == set()


def test_a_body_that_ends_its_own_process_is_blamed_alone(start: Start, ledger: str) -> None:
    program = start("--cpu-processes", "2")
    (pid,) = program.wait_until_active()
    crashing = schedule(tasks.compute_and_exit)(ledger)
    hopeless = schedule(tasks.always_exit)()
    others = at_once(*[Call(tasks.compute, (0.3,)) for _ in range(4)])

    assert crashing.wait(20) == "ended"
    wait_until(lambda: others.executions.filter(status="succeeded").count() == 4, 30)
    wait_until(lambda: Execution.objects.get(pk=hopeless.pk).status == "failed", 20)

    crashing.refresh_from_db()
    hopeless.refresh_from_db()
    assert (crashing.crashes, crashing.attempts) == (1, 2)
    assert (hopeless.crashes, hopeless.failed_stage) == (3, "lost")
    assert set(others.executions.values_list("crashes", "attempts")) == {(0, 1)}
    assert pid in program.members()


def test_a_body_that_computes_past_its_timeout_is_killed(start: Start, ledger: str) -> None:
    program = start("--cpu-processes", "1")
    (pid,) = program.wait_until_active()
    stuck = schedule(tasks.compute_over_the_timeout)(ledger)
    failing = schedule(tasks.fail_to_compute)()

    for row in (stuck, failing):
        wait_until(lambda: Execution.objects.get(pk=row.pk).status == "failed", 20)  # noqa: B023

    stuck.refresh_from_db()
    failing.refresh_from_db()
    assert (stuck.error_class, stuck.failed_stage, stuck.crashes) == ("TimeoutError", "timeout", 0)
    assert failing.error_class == "ZeroDivisionError"
    assert pid in program.members()


def test_a_body_that_computes_hears_of_its_cancellation_and_can_be_atomic(
    start: Start, ledger: str
) -> None:
    program = start("--cpu-processes", "1")
    (pid,) = program.wait_until_active()
    stored = schedule(tasks.compute_and_store)("by another process")
    assert stored.wait(20) != pid
    assert User.objects.filter(username="by another process").exists()
    row = schedule(tasks.compute_until_cancelled)(ledger)
    wait_until(lambda: tasks.lines(ledger), 20)

    row.cancel()

    assert row.wait(20) == "heard"
    program.send(signal.SIGTERM)
    assert program.end() == 0


# --- memory, signs of life, code that changes ---


def test_a_process_with_too_much_memory_is_replaced(start: Start, ledger: str) -> None:
    program = start("--max-memory", "200M")
    (pid,) = program.wait_until_active()

    assert schedule(tasks.take_memory)(200).wait(20) == pid

    wait_until(lambda: Worker.objects.filter(status="active").exclude(pid=pid).exists(), 20)
    assert schedule(tasks.note)(ledger, "ran").wait(20) != pid
    wait_until(lambda: pid not in program.members(), 20)
    assert Worker.objects.get(pid=pid).status == "stopped"


def test_the_heartbeat_file_is_touched_while_work_goes_on(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "alive"
    program = start("--heartbeat-file", str(file))
    wait_until(file.exists, 20)
    before = file.stat().st_mtime_ns

    wait_until(lambda: file.stat().st_mtime_ns > before, 10)

    program.send(signal.SIGTERM)
    assert program.end() == 0


def test_code_that_changes_starts_the_worker_again(start: Start) -> None:
    program = start("--autoreload")
    (pid,) = program.wait_until_active()
    code = ROOT / "tests" / "reloaded_by_a_test.py"

    code.write_text("")
    try:
        wait_until(lambda: Worker.objects.filter(pid=pid, status="stopped").exists(), 30)
    finally:
        code.unlink()
    wait_until(lambda: Worker.objects.filter(status="active").exclude(pid=pid).exists(), 30)
    program.send(signal.SIGTERM)

    assert program.end() == 0


def test_the_row_of_a_worker_is_that_of_the_process_which_runs_it(
    start: Start, redis_server: RedisServer, ledger: str
) -> None:
    program = start()
    (pid,) = program.wait_until_active()

    ran_in = schedule(tasks.note)(ledger, "ran").wait(20)

    assert ran_in == pid != program.pid
