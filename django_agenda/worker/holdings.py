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
        self._claims: dict[Token, Claim] = {}

    def add(self, claims: Iterable[Claim]) -> None:
        """Remember claims; must be called under `claiming`."""
        self._claims.update({(claim.id, claim.attempt): claim for claim in claims})

    def drop(self, claims: Iterable[Claim]) -> None:
        """Forget claims whose outcome is stored, or that were given back.

        What was given back may have been claimed again by now, with the same token.
        """
        for claim in claims:
            token = (claim.id, claim.attempt)
            if self._claims.get(token) is claim:
                del self._claims[token]

    def unknown(self, tokens: Iterable[Token]) -> list[Token]:
        """Return those that this process does not hold."""
        with self.claiming:
            held = self._claims.copy()
        return [token for token in tokens if token not in held]
