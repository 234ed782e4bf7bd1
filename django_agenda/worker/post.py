"""How a child and its supervisor reach each other."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

from .board import Board

RETIRES = b"r"
WANTS_CPU = b"c"
STOPS = b"s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Hold a child's end of both: the board, and the line that breaks when the supervisor dies."""

    board: Board
    line: socket.socket

    def retire(self) -> None:
        """Ask for a replacement: this process claims no more."""
        self.board.retires = True
        self._say(RETIRES)

    def ask_for_cpu(self) -> None:
        """Ask for one more process for bodies that compute."""
        self._say(WANTS_CPU)

    def ask_to_stop(self) -> None:
        """Ask for the end of the supervisor, and so of all its processes."""
        self._say(STOPS)

    def take_cpu(self) -> tuple[int, int] | None:
        """Return descriptor and process id of what was asked for; None when the line broke."""
        with suppress(OSError):
            data, descriptors, _, _ = socket.recv_fds(self.line, 4, 1)
            if descriptors:
                return descriptors[0], int.from_bytes(data)
        return None

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # whoever reads it notices a broken line, too
            self.line.send(word)
