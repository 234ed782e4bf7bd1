"""The workers of a run, each a group of processes: started, hurt, replaced, and remembered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django_agenda.clock import now
from django_agenda.embedded import bound_to_parent
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Life:
    """Hold one worker, a supervisor and its processes, from its start to its end.

    `hurt_at` is when one of its processes was killed, and not the supervisor.
    """

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    ended_by: str = ""
    ended_at: float = 0.0
    was_ready: bool = False
    froze_at: float | None = None
    hurt_at: list[float] = field(default_factory=list)
    frozen: list[tuple[float, float]] = field(default_factory=list)

    def describe(self) -> str:
        """Return what befell it."""
        times = f"frozen {self.frozen}, a process killed at {self.hurt_at}"
        return f"{self.name}: ended by {self.ended_by!r} with {self.code}, {times}"

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    @property
    def code(self) -> int | None:
        return self.popen.returncode

    @property
    def is_ready(self) -> bool:
        """Tell whether it has said that it works, after which signals drain it."""
        self.was_ready = self.was_ready or b"worker_started" in self.log.read_bytes()
        return self.was_ready

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")


class Crew:
    """Keep so many workers alive; who ends is replaced."""

    def __init__(self, size: int, folder: Path, *arguments: str) -> None:
        self._size = size
        self._folder = folder
        self._arguments = arguments
        self.lives: list[Life] = []

    @property
    def running(self) -> list[Life]:
        return [life for life in self.lives if life.is_running]

    def keep(self) -> None:
        """Start as many as are missing."""
        for _ in range(self._size - len(self.running)):
            self.start()

    def start(self) -> Life:
        name = f"w{len(self.lives) + 1}"
        log = self._folder / f"{name}.log"
        # Who hangs shows its stacks when it is aborted.
        python = [sys.executable, "-X", "faulthandler"]
        command = [*python, "-m", "django", "run_agenda_worker", "--worker-id", name]
        with log.open("wb") as file:
            popen = subprocess.Popen(
                bound_to_parent([*command, *self._arguments]),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        life = Life(name, popen, log)
        self.lives.append(life)
        return life

    def wait_until_ready(self, seconds: float = 30) -> None:
        """Wait until every worker has said that it works."""
        wait_until(lambda: all(life.is_ready for life in self.running), seconds, what="the workers")

    def kill(self, life: Life) -> None:
        """End all its processes at once, as the end of a machine does."""
        life.ended_by = "kill"
        life.ended_at = now().timestamp()
        os.killpg(life.pid, signal.SIGKILL)
        life.popen.wait()
        self.thaw(life)

    def hurt(self, life: Life) -> bool:
        """Kill one of its processes, which its supervisor replaces; tell whether there was one."""
        children = Path(f"/proc/{life.pid}/task/{life.pid}/children").read_text().split()
        if not children:
            return False
        life.hurt_at.append(now().timestamp())
        with suppress(ProcessLookupError):
            os.kill(int(children[0]), signal.SIGKILL)
        return True

    def terminate(self, life: Life) -> None:
        """Ask it to drain."""
        if not life.ended_by:
            life.ended_by = "term" if life.is_ready else "term before it worked"
            life.ended_at = now().timestamp()
            life.popen.send_signal(signal.SIGTERM)

    def freeze(self, life: Life) -> None:
        life.froze_at = now().timestamp()
        os.killpg(life.pid, signal.SIGSTOP)

    def thaw(self, life: Life) -> None:
        """Let it go on; remember for how long it stood still."""
        if life.froze_at is not None:
            with suppress(ProcessLookupError):
                os.killpg(life.pid, signal.SIGCONT)
            life.frozen.append((life.froze_at, now().timestamp()))
            life.froze_at = None

    def drain(self, seconds: float = 60) -> None:
        """Ask all to drain, and wait for their ends."""
        for life in self.running:
            self.thaw(life)
        if self.running:
            wait_until(lambda: all(life.is_ready for life in self.running), seconds)
        for life in self.running:
            self.terminate(life)
        for life in self.lives:
            try:
                life.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                life.ended_by = "hung"
                life.popen.send_signal(signal.SIGABRT)
                life.popen.wait()

    def close(self) -> None:
        """Leave nobody behind."""
        for life in self.running:
            self.kill(life)
