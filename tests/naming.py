"""Names for parametrised tests."""

from __future__ import annotations

import re

ADDRESS = re.compile(" at 0x[0-9a-f]+")


def named(value: object) -> str:
    """Show a value without its address, which differs between processes that must agree."""
    return ADDRESS.sub("", repr(value))[:60]
