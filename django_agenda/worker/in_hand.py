"""What this worker has claimed: not started yet, or running."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .claim import Claim
from .context import ClaimContext


class InHand:
    """Decide between starting a claim and letting go of it; every step is one atomic pop."""

    def __init__(self) -> None:
        # By the identity of the claim: an execution that was let go of can be claimed again.
        self._waiting: dict[int, Claim] = {}
        self._running: dict[int, ClaimContext] = {}

    def add(self, claims: Iterable[Claim]) -> None:
        """Take claims that are to be started."""
        for claim in claims:
            self._waiting[id(claim)] = claim

    def begin(self, claim: Claim) -> ClaimContext | None:
        """Return the context in which to start it; None when it was let go of meanwhile."""
        if self._waiting.pop(id(claim), None) is None:
            return None
        context = self._running[id(claim)] = ClaimContext(claim)
        return context

    def end(self, claim: Claim) -> bool:
        """Note that its body has ended, or is waited for no longer; tell the first who says so."""
        return self._running.pop(id(claim), None) is not None

    def ids(self) -> list[str]:
        """Return the ids of all of them."""
        waiting = [claim.id for claim in self.waiting()]
        return waiting + [context.id for context in list(self._running.values())]

    def contexts(self) -> list[ClaimContext]:
        """Return what runs."""
        return list(self._running.values())

    def let_go(self, claims: Iterable[Claim]) -> list[Claim]:
        """Return those that were not started, and now never will be."""
        return [claim for claim in claims if self._waiting.pop(id(claim), None) is not None]

    def let_go_of(self, batch_id: int) -> list[Claim]:
        """Return those of a batch that were not started, and now never will be."""
        return self.let_go(claim for claim in self.waiting() if claim.batch_id == batch_id)

    def waiting(self) -> list[Claim]:
        """Return those that were not started."""
        return list(self._waiting.values())

    def cancel(self, ids: Collection[str]) -> list[Claim]:
        """Tell those that run; return those that were not started, and now never will be.

        One that starts at this moment is told at the next call.
        """
        for context in list(self._running.values()):
            if context.id in ids and not context.is_cancelled:
                context.cancel()
        return self.let_go([one for one in self.waiting() if one.id in ids])
