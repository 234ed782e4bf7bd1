"""What is kept of an error: its class, its words, and what makes two errors the same one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

MAX_MESSAGE = 4_000
MAX_TRACEBACK = 64_000

# Whatever differs from one occurrence to the next; the order is from the longest to the shortest.
_VARIABLE = (
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "<address>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    # A quoted word is a name or a value; a quoted sentence says what happened.
    (re.compile(r"'[^'\s]*'|\"[^\"\s]*\""), "<text>"),
    (re.compile(r"(?<!\w)/[\w./-]+"), "<path>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<n>"),
    (re.compile(r"\d+(?:[.:,]\d+)*"), "<n>"),
)


def class_name(kind: type[BaseException]) -> str:
    """Return the dotted name of an error's class; the built-in ones have no dots."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"[:255]


def normalise(message: str) -> str:
    """Return the message with addresses, ids, paths, quoted text and numbers replaced."""
    line = message[:1000]
    for pattern, word in _VARIABLE:
        line = pattern.sub(word, line)
    return line


def fingerprint(stage: str, error_class: str, message: str, frames: Sequence[str] = ()) -> str:
    """Return 16 hexadecimal digits that are equal for what is one and the same problem."""
    parts = (stage, error_class, normalise(message), *frames)
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()


def storable(text: str, limit: int) -> str:
    """Return text that every database takes: no NUL, no lone surrogates, not over the limit."""
    clean = text[:limit].replace("\0", "\\x00")
    return clean.encode("utf-8", "backslashreplace").decode("utf-8")
