"""Tasks that break the worker that runs them, from within."""

from __future__ import annotations

import threading
from typing import Any

from django_agenda import task
from django_agenda.broker import broker
from django_agenda.worker import recorder
from django_agenda.worker.record import record


@task
def hang_the_claimer() -> None:
    """Make the worker's claimer hang in its next step, as a broken network would."""
    broker.claim = lambda *args, **kwargs: threading.Event().wait()  # type: ignore[assignment]


@task
def hang_the_recorder() -> None:
    def hang(*args: Any) -> Any:
        if threading.current_thread().name == "agenda-recorder":
            threading.Event().wait()
        return record(*args)

    vars(recorder)["record"] = hang
