"""The name of every key, each with one function; see the room's docstring for what they hold."""

from __future__ import annotations

from django_agenda.conf import get_settings


def _key(name: str) -> str:
    return f"{{{get_settings().PREFIX}}}:{name}"


def due(queue_name: str) -> str:
    """Name the sorted set of what is due when."""
    return _key(f"due:{queue_name}")


def ready(queue_name: str) -> str:
    """Name the sorted set of what is overdue, by priority."""
    return _key(f"ready:{queue_name}")


def wake(queue_name: str) -> str:
    """Name the list whose token wakes one worker of a queue."""
    return _key(f"wake:{queue_name}")


def wake_all() -> str:
    """Name the list whose token tells of a new queue."""
    return _key("wake")


def wake_schedules() -> str:
    """Name the list whose token tells of a tick that came earlier."""
    return _key("wake-schedules")


def queues() -> str:
    """Name the set of queue names."""
    return _key("queues")


def paused() -> str:
    """Name the set of paused queues."""
    return _key("paused")


def filled() -> str:
    """Name the mark of the server that was told of everything."""
    return _key("filled")
