"""What this process holds: every claim from its row to its outcome's commit."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from .claim import Claim

Token = tuple[str, int]


class Holdings:
    """Remember the tokens (id, attempt) of claims; what a row says beyond them is to be given back.

    `claiming` is held from before a claim's statement until its rows are remembered: whoever
    reads rows first and takes a snapshot then finds every claim that those rows can show.
    """

    def __init__(self) -> None:
        self.claiming = threading.Lock()
        self._tokens: set[Token] = set()

    def add(self, claims: Iterable[Claim]) -> None:
        """Remember claims; must be called under `claiming`."""
        self._tokens.update((claim.id, claim.attempt) for claim in claims)

    def drop(self, claims: Iterable[Claim]) -> None:
        """Forget claims whose outcome is stored, or that were given back."""
        self._tokens.difference_update([(claim.id, claim.attempt) for claim in claims])

    def unknown(self, tokens: Iterable[Token]) -> list[Token]:
        """Return those that this process does not hold."""
        with self.claiming:
            held = self._tokens.copy()
        return [token for token in tokens if token not in held]
