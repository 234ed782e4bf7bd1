"""Start a program anew whenever its code has changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from django.apps import apps
from django.utils.autoreload import iter_all_python_module_files

from .shutdown import Shutdown

VARIABLE = "AGENDA_RELOADED"
EVERY = 1.0


def reload_for_ever(command: Sequence[str]) -> int:
    """Run a command; when code changes let it drain, and run it again. Return its exit code.

    One that fails is run again after the next change. Its standard input is a pipe from this
    process, so that it notices when this one dies.
    """
    with Shutdown() as shutdown:
        while True:
            seen = _changes()
            process = _start(command)
            why = _watch(process, shutdown, seen)
            if why == "failed":
                why = _wait_for_change(shutdown, seen)
            if why != "changed":
                return _end(process, shutdown)
            _end(process, shutdown)
            if shutdown.count:
                return process.returncode
            sys.stderr.write("Code has changed: the worker starts again.\n")


def is_reloaded() -> bool:
    """Tell whether this process was started by reload_for_ever()."""
    return VARIABLE in os.environ


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.PIPE,
        env={**os.environ, VARIABLE: "1"},
        # Ctrl-C is for this process, which passes it on.
        process_group=0,
    )


def _watch(process: subprocess.Popen[bytes], shutdown: Shutdown, seen: dict[str, float]) -> str:
    while not shutdown.wait(EVERY):
        if process.poll() is not None:
            return "failed" if process.returncode else "ended"
        if _changes() != seen:
            return "changed"
    return "told"


def _wait_for_change(shutdown: Shutdown, seen: dict[str, float]) -> str:
    while not shutdown.wait(EVERY):
        if _changes() != seen:
            return "changed"
    return "told"


def _end(process: subprocess.Popen[bytes], shutdown: Shutdown) -> int:
    """Let it drain; every further signal is passed on."""
    passed_on = 0
    while process.poll() is None:
        if passed_on < max(1, shutdown.count):
            passed_on += 1
            process.send_signal(signal.SIGTERM)
        shutdown.wait(0.1, beyond=shutdown.count)
    if process.stdin is not None:
        process.stdin.close()
    return process.returncode


def _changes() -> dict[str, float]:
    """Return when each file of code was last changed: what is loaded, and all of the project."""
    found: dict[str, float] = {}
    for path in {*iter_all_python_module_files(), *_project_files()}:
        with suppress(OSError):
            found[str(path)] = path.stat().st_mtime
    return found


def _project_files() -> Iterator[Path]:
    for config in apps.get_app_configs():
        if "site-packages" not in Path(config.path).parts:
            yield from Path(config.path).rglob("*.py")
