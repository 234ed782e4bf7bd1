"""Programs that share one terminal: each line says whose it is, and all of them end together."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from django.utils.termcolors import colorize

from django_agenda.clock import monotonic
from django_agenda.embedded import bound_to_parent
from django_agenda.worker.shutdown import Shutdown

EVERY = 0.2
_COLORS = ("cyan", "magenta", "yellow")


class Programs:
    """Start programs, and pass on what they say, line by line, under their names.

    `patience` is for how many seconds they may go on after the first signal. Ctrl-C is for this
    process, which passes it on; the system ends them when this process is killed.
    """

    def __init__(self, stream: Any, *, colors: bool, patience: float) -> None:
        self._stream = stream
        self._colors = colors
        self._patience = patience
        self._writing = threading.Lock()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program; what it says comes out as text, whatever its bytes are."""
        process = subprocess.Popen(  # noqa: S603
            bound_to_parent(command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._processes[name] = process
        assert process.stdout is not None  # noqa: S101
        arguments = (self._titled(name), process.stdout)
        reader = threading.Thread(target=self._pass_on, args=arguments, daemon=True)
        reader.start()
        self._readers.append(reader)

    def run(self) -> int:
        """Wait until a signal comes, or one of them ends; end all. Return 0 for a clean end."""
        with Shutdown() as shutdown:
            signal.signal(signal.SIGHUP, lambda *_: shutdown.tell("the terminal is gone"))
            ended = ""
            while not ended and not shutdown.wait(EVERY):
                ended = next((n for n, p in self._processes.items() if p.poll() is not None), "")
            if ended:
                code = self._processes[ended].returncode
                self.say(f"{ended} has ended with {code}, so all end.")
            was_clean = self._end(shutdown)
        for reader in self._readers:
            reader.join(1.0)
        return 0 if was_clean and not ended else 1

    def say(self, words: str) -> None:
        """Write a line of our own."""
        self._write(self._titled("agenda"), f"{words}\n")

    def _end(self, shutdown: Shutdown) -> bool:
        """Let them end, at once after a further signal; tell whether none had to be killed."""
        until = monotonic() + self._patience
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        while any(process.poll() is None for process in self._processes.values()):
            if monotonic() > until or shutdown.wait(EVERY, beyond=1):
                return self._kill()
        # What they have started themselves and left behind.
        self._to_groups(signal.SIGKILL)
        return True

    def _kill(self) -> bool:
        left = [name for name, process in self._processes.items() if process.poll() is None]
        self._to_groups(signal.SIGKILL)
        for process in self._processes.values():
            process.wait()
        self.say(f"killed: {', '.join(left)}.")
        return False

    def _to_groups(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

    def _pass_on(self, title: str, stream: IO[str]) -> None:
        for line in stream:
            self._write(title, line if line.endswith("\n") else f"{line}\n")

    def _write(self, title: str, line: str) -> None:
        with self._writing:
            self._stream.write(f"{title}{line}")
            self._stream.flush()

    def _titled(self, name: str) -> str:
        title = f"{name:>6} | "
        if not self._colors:
            return title
        return colorize(title, fg=_COLORS[len(self._processes) % len(_COLORS)])
