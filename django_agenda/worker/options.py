"""What a worker was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from .queues import EVERY, Queues


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold the options of run_agenda_worker, checked."""

    queues: Queues = field(default_factory=lambda: Queues([EVERY]))
    concurrency: int = 8
    burst: bool = False
    max_tasks: int | None = None
    shutdown_timeout: timedelta = timedelta(seconds=25)
    worker_id: str | None = None
    processes: int = 1
    cpu_processes: int = 0
    max_memory: int | None = None
    """In bytes; a process that has more is replaced."""
    heartbeat_file: Path | None = None
