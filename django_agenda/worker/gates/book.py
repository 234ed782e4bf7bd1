"""The gates of one claim, as they stand and as they will be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connections

from django_agenda.models import bulk
from django_agenda.models.gate import Gate
from django_agenda.scheduling.gates import USED_EVERY, Locked
from django_agenda.tasks.payload import encode_result

_COLUMNS = ("id", "size", "waiting_since", "state", "used_at")


class Book:
    """Hold locked gates, and write down in one statement which of them have changed."""

    def __init__(self, using: str, gates: Mapping[str, Locked], moment: datetime) -> None:
        self._using = using
        self._gates = dict(gates)
        self._moment = moment
        self._changed = {id_ for id_, gate in gates.items() if moment - gate.used_at > USED_EVERY}

    def gate(self, id_: str) -> Locked:
        """Return a gate as it will be."""
        return self._gates[id_]

    def change(self, id_: str, **changes: Any) -> None:
        """Let columns of a gate have other values."""
        self._gates[id_] = self._gates[id_]._replace(**changes)
        self._changed.add(id_)

    def write(self) -> None:
        """Write down what has changed."""
        if not self._changed:
            return
        connection = connections[self._using]
        used_at = bulk.moment_text(self._moment, connection)
        rows: list[list[Any]] = []
        for id_ in sorted(self._changed):
            gate = self._gates[id_]
            since = bulk.moment_text(gate.waiting_since, connection)
            state = None if gate.state is None else encode_result(gate.state)
            rows.append([id_, gate.size, since, state, used_at])
        changes = {name: f"x.{name}" for name in _COLUMNS[1:]}
        bulk.update(self._using, Gate, _COLUMNS, rows, changes=changes)
