"""Do what somebody asked this worker for, by its row."""

from __future__ import annotations

from collections.abc import Mapping

from django_agenda.models.worker import Worker

from .board import Board
from .loop import Loop
from .post import Post
from .shutdown import Shutdown

REASON = "asked to stop"


class Heed:
    """Be called by the heart with each new wish; that nothing new is claimed is seen to there."""

    def __init__(
        self, board: Board, post: Post | None, shutdown: Shutdown, loops: Mapping[str, Loop]
    ) -> None:
        self._board = board
        self._post = post
        self._shutdown = shutdown
        self._loops = loops

    def __call__(self, requested: str) -> None:
        """Be quiet, go on, or end together with everything under the same supervisor."""
        if requested != Worker.Request.STOP:
            self._board.is_quiet = requested == Worker.Request.QUIET
            for name in ("claimer", "waker"):
                self._loops[name].wake()
        elif self._post is None:
            self._shutdown.tell(REASON)
        else:
            self._post.ask_to_stop()
