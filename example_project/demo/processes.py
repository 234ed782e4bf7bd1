"""Child processes that end with this one, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Self, TypeVar

from django.core.management.base import CommandError

from django_agenda.embedded import bound_to_parent

T = TypeVar("T")

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1


class Children:
    """Start commands of manage.py; what each says goes to `folder`/<name>.log.

    At the end they are asked to stop, the last one first, and made to when they do not. When this
    process is killed, the system kills them.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, *arguments: str) -> None:
        """Start a command under a name of its own, with `environment` as it is now."""
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                bound_to_parent([sys.executable, str(MANAGE), *arguments]),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process, which ends them in order
            )

    def finish(self, name: str, timeout: float) -> None:
        """Wait until a command has done its work; raise CommandError when it failed."""
        code = self._processes[name].wait(timeout)
        del self._processes[name]
        if code:
            raise CommandError(f"{name} ended with {code}:\n{self.said(name)}")

    def said(self, name: str) -> str:
        """Return the end of what a command has said."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def check(self) -> None:
        """Raise CommandError when one of them has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise CommandError(f"{name} ended with {process.returncode}:\n{self.said(name)}")

    def wait_for(self, condition: Callable[[], T], timeout: float, *, what: str) -> T:
        """Return the first true value; raise CommandError when it is late or a child ended."""
        deadline = monotonic() + timeout
        while not (value := condition()):
            self.check()
            if monotonic() > deadline:
                raise CommandError(f"After {timeout:g} s there was still no {what}.")
            sleep(POLL_S)
        return value

    def look_after(self, seconds: float = float("inf")) -> None:
        """Let time pass; raise CommandError when one of them ends meanwhile."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            self.check()
            sleep(min(0.5, seconds))
