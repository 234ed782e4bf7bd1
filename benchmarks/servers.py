"""A private PostgreSQL that flushes every commit to the disk, as a production server does."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(folder: str, *, enabled: bool) -> Iterator[None]:
    """Run it while the block lasts, with its socket and its data in the folder."""
    if not enabled:
        yield
        return
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    data = f"{folder}/data"
    if os.getuid() == 0:
        shutil.chown(folder, user)
    initdb = ["initdb", "-D", data, "-U", "agenda", "-A", "trust", "-E", "UTF8", "--locale=C"]
    options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    start = ["pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{folder}/log", "start"]
    stop = ["pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"]
    for command in (initdb, start):
        _run(binaries, command, user)
    try:
        _run(binaries, ["createdb", "-h", folder, "-U", "agenda", "bench"], user)
        yield
    finally:
        _run(binaries, stop, user)


def _run(binaries: Path, command: list[str], user: str) -> None:
    subprocess.run(
        [f"{binaries}/{command[0]}", *command[1:]],
        user=user if os.getuid() == 0 else None,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
    )
