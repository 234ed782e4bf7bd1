"""What a worker process runs now: in memory that its supervisor can still read when it is dead.

A slot is written before its body starts and cleared after it has ended, so what a child that was
killed had in its slots is what may have killed it; whatever else it had claimed is innocent.
"""

from __future__ import annotations

import mmap
import struct
from collections import deque
from typing import NamedTuple
from uuid import UUID

from django_agenda.clock import monotonic

from .hands import MOST_AT_HAND

Token = tuple[str, int]
"""An id as 32 hexadecimal digits, and the number of the attempt."""

# The incarnation; then: signs of life, progress, bodies that have ended, next place in the ring.
_HEADER = struct.Struct("<16sddQI")
_ALIVE, _PROGRESS, _ENDED, _NEXT = 16, 24, 32, 40
_ORDER, _RETIRES, _FINISHED, _QUIET = 44, 45, 46, 47
_DOUBLE, _LONG, _INT = struct.Struct("<d"), struct.Struct("<Q"), struct.Struct("<I")
_SLOTS = 64
# Id, attempt, the moment at which it is stuck (0.0: never); then the state, which is written last.
_SLOT = struct.Struct("<16sId3xB")
_SLOT_SIZE, _STATE = 32, 31
_RUNS = b"\x01"
# Coroutines start at once, so there may be as many as a worker ever holds.
_SPARE = MOST_AT_HAND + 100
_TOKEN = struct.Struct("<16sI")
# More than may wait to be stored: see MAX_UNSAVED.
_RING = 4096


class Slot(NamedTuple):
    """Hold what a body's slot says; at the monotonic moment `ends` it is stuck, at 0.0 never."""

    token: Token
    ends: float


class Board:
    """Hold the slots of one process, in memory that it shares with its supervisor."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._slots = concurrency + _SPARE
        self._ring = _SLOTS + self._slots * _SLOT_SIZE
        self._memory = mmap.mmap(-1, self._ring + _RING * _TOKEN.size)
        self.spare = deque(range(concurrency, self._slots))
        self.alive()
        self.progress()

    def begin(self, slot: int, token: Token, ends: float) -> None:
        """Note that a body starts in that slot."""
        at = _SLOTS + slot * _SLOT_SIZE
        _SLOT.pack_into(self._memory, at, bytes.fromhex(token[0]), token[1], ends, 1)

    def end(self, slot: int) -> None:
        """Note that the body in that slot has ended."""
        self._memory[_SLOTS + slot * _SLOT_SIZE + _STATE] = 0

    def remember(self, token: Token) -> None:
        """Keep it among the last few thousand that were started, though they have ended."""
        (place,) = _INT.unpack_from(self._memory, _NEXT)
        at = self._ring + place % _RING * _TOKEN.size
        _TOKEN.pack_into(self._memory, at, bytes.fromhex(token[0]), token[1])
        _INT.pack_into(self._memory, _NEXT, (place + 1) % 2**32)

    def alive(self) -> None:
        """Note that threads of this process get their turn."""
        _DOUBLE.pack_into(self._memory, _ALIVE, monotonic())

    def progress(self) -> None:
        """Note that the parts of this process come around."""
        _DOUBLE.pack_into(self._memory, _PROGRESS, monotonic())

    def count(self) -> None:
        """Note that one more body has ended."""
        _LONG.pack_into(self._memory, _ENDED, self.ended + 1)

    @property
    def alive_at(self) -> float:
        """Return when its threads last got their turn."""
        return float(_DOUBLE.unpack_from(self._memory, _ALIVE)[0])

    @property
    def progress_at(self) -> float:
        """Return when its parts last came around."""
        return float(_DOUBLE.unpack_from(self._memory, _PROGRESS)[0])

    @property
    def ended(self) -> int:
        """Return how many bodies have ended."""
        return int(_LONG.unpack_from(self._memory, _ENDED)[0])

    @property
    def worker(self) -> UUID | None:
        """Return the incarnation under which it claims."""
        value = self._memory[:16]
        return UUID(bytes=value) if any(value) else None

    @worker.setter
    def worker(self, value: UUID) -> None:
        self._memory[:16] = value.bytes

    @property
    def order(self) -> int:
        """Return what its supervisor wants: 0 work, 1 drain, 2 give back and end."""
        return self._memory[_ORDER]

    @order.setter
    def order(self, level: int) -> None:
        self._memory[_ORDER] = level

    @property
    def retires(self) -> bool:
        """Tell whether it claims no more, and wants to be replaced."""
        return bool(self._memory[_RETIRES])

    @retires.setter
    def retires(self, value: bool) -> None:
        self._memory[_RETIRES] = value

    @property
    def finished(self) -> bool:
        """Tell whether it came to an end in good order, and so leaves nothing to settle."""
        return bool(self._memory[_FINISHED])

    @finished.setter
    def finished(self, value: bool) -> None:
        self._memory[_FINISHED] = value

    @property
    def is_quiet(self) -> bool:
        """Tell whether it claims nothing new because somebody asked for that."""
        return bool(self._memory[_QUIET])

    @is_quiet.setter
    def is_quiet(self, value: bool) -> None:
        self._memory[_QUIET] = value

    def running(self) -> list[Slot]:
        """Return what runs, or ran when the process died."""
        slots = self._memory[_SLOTS : self._ring]
        states = slots[_STATE::_SLOT_SIZE]
        found: list[Slot] = []
        place = states.find(_RUNS)
        while place >= 0:
            id_, attempt, ends, _ = _SLOT.unpack_from(slots, place * _SLOT_SIZE)
            found.append(Slot((id_.hex(), attempt), ends))
            place = states.find(_RUNS, place + 1)
        return found

    def remembered(self) -> set[Token]:
        """Return what remember() has kept."""
        ring = self._memory[self._ring :]
        return {(id_.hex(), attempt) for id_, attempt in _TOKEN.iter_unpack(ring) if attempt}

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
