"""Every log line, as a receiver of signals; no other module has a logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import receiver

from . import signals

logger = logging.getLogger("django_agenda")


@contextmanager
def shown_on(stream: Any) -> Iterator[None]:
    """Write the lines to a stream while the block lasts, unless the project's LOGGING has them."""
    if logger.hasHandlers():
        yield
        return
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@receiver(signals.broker_refused)
def log_refused(*, error: Exception, count: int, **_: Any) -> None:
    """Warn that executions were written down but not enqueued."""
    logger.warning("broker_refused count=%d error=%r", count, str(error), extra={"count": count})


@receiver(signals.batch_paused)
def log_paused(*, batch_id: int, reason: str, **_: Any) -> None:
    """Warn of a batch that paused itself; say it of one that somebody paused."""
    level = logging.WARNING if reason else logging.INFO
    logger.log(level, "batch_paused id=%d reason=%r", batch_id, reason, extra={"batch": batch_id})


@receiver(signals.trouble_began)
def log_trouble(*, part: str, error: Exception, **_: Any) -> None:
    """Warn once that a server cannot be used; the worker goes on trying."""
    text = " ".join(str(error).split())
    ours = error if part == "worker" else None
    level = logging.WARNING if ours is None else logging.ERROR
    extra = {"part": part}
    logger.log(level, "trouble_began part=%s error=%r", part, text, exc_info=ours, extra=extra)


@receiver(signals.trouble_ended)
def log_recovery(*, part: str, seconds: float, **_: Any) -> None:
    """Say that a server can be used again."""
    logger.warning("trouble_ended part=%s after=%.1fs", part, seconds, extra={"part": part})


@receiver(signals.executions_healed)
def log_healed(*, reason: str, count: int, **_: Any) -> None:
    """Say what the caretaker has put right."""
    logger.warning("executions_healed reason=%r count=%d", reason, count, extra={"count": count})


@receiver(signals.tasks_unknown)
def log_unknown(*, names: list[str], count: int, **_: Any) -> None:
    """Warn that executions wait for a worker that knows their tasks."""
    logger.warning("tasks_unknown names=%r count=%d", names, count, extra={"count": count})


@receiver(signals.schedule_refused)
def log_schedule(*, task_name: str, error: Exception, **_: Any) -> None:
    """Say that a schedule that code declares is none."""
    extra = {"task": task_name}
    logger.error("schedule_refused task=%s error=%r", task_name, str(error), extra=extra)


@receiver(signals.worker_started)
def log_started(*, worker: Any, **_: Any) -> None:
    """Say which worker started."""
    logger.info("worker_started name=%s queues=%s", worker.name, worker.queues)


@receiver(signals.worker_stopped)
def log_stopped(*, worker: Any, reason: str, given_back: int = 0, **_: Any) -> None:
    """Say which worker stopped, and why; warn when bodies that ran will run again."""
    if not given_back:
        logger.info("worker_stopped name=%s reason=%r", worker.name, reason)
        return
    line = "worker_stopped name=%s reason=%r given_back=%d"
    logger.warning(line, worker.name, reason, given_back, extra={"given_back": given_back})


@receiver(signals.process_ended)
def log_ended(*, pid: int, code: int, **_: Any) -> None:
    """Say that a process of the worker has ended, and warn when that was not asked for."""
    level = logging.INFO if code == 0 else logging.WARNING
    logger.log(level, "process_ended pid=%d code=%d", pid, code, extra={"pid": pid, "code": code})
