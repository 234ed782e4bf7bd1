"""The code blocks of the documentation, so that tests can run what it says.

A block whose first line is a comment with a path belongs into that file. Blocks of `python` are run
as they stand, blocks of `pycon` must also answer as they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts
)

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=fence)\s*$",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")


class Block(NamedTuple):
    """Hold a fenced block; `line` is that of its first line of code, `file` where it belongs."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        found = _FILE.match(self.text)
        return found[1] if found else None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *, section: str | None = None) -> Iterator[Block]:
    """Give the blocks of a page, or of one of its sections, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    first, last = 0, len(text)
    if section is not None:
        first = text.index(f"\n## {section}\n")
        following = text.find("\n## ", first + 1)
        last = len(text) if following < 0 else following
    for found in _FENCE.finditer(text, first, last):
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(page, line, found["language"], found["text"])
