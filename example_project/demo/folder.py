"""Where a demonstration keeps what it has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from django.core.management.base import CommandError


@contextmanager
def passing_folder() -> Iterator[Path]:
    """Lend a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="agenda-demo-") as folder:
        yield Path(folder)


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Lend this folder, without what the last demonstration left there; it can be looked at later.

    Raises CommandError when another one is using it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"Another demonstration runs in {folder}; set DEMO_DIR to have one beside it."
            ) from None
        for name in ("mail", "log"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for database in folder.glob("shop.sqlite3*"):
            database.unlink()
        yield folder
