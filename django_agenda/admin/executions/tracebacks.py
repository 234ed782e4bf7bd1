"""A traceback without the frames of other people's code."""

from __future__ import annotations

import re

_FRAME = re.compile(r'  File "(.+)", line \d+')
_FOREIGN = re.compile(
    r"[/\\](?:site-packages|dist-packages|lib[/\\]python3[\d.]*|django_agenda)[/\\]"
)
_BELONGS = ("    ", "  [Previous line repeated")


def own_frames(text: str) -> str:
    """Return it with the project's own frames alone; nothing when that is all or none of it."""
    kept: list[str] = []
    own = foreign = 0
    is_shown = True
    for line in text.splitlines(keepends=True):
        if frame := _FRAME.match(line):
            is_shown = not frame[1].startswith("<frozen") and not _FOREIGN.search(frame[1])
            own, foreign = own + is_shown, foreign + (not is_shown)
        elif not line.startswith(_BELONGS):
            is_shown = True
        if is_shown:
            kept.append(line)
    return "".join(kept) if own and foreign else ""
