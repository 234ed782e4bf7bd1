"""How many mails, in how much time, against which limit."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from django.core.management.base import CommandError
from shop.customers import DATA
from shop.mailserver import GONE

MOST_MAILS = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold the sizes of a demonstration.

    `limit` is what the provider takes in a second: a third more than a scattered newsletter needs,
    and far less than a flood brings. `burst` is what it takes at once after a silence: it lets a
    scattered one through when this machine was busy elsewhere for a moment, two seconds in a window
    of ten or more.
    """

    seconds: int
    mails: int
    limit: int
    burst: int

    @property
    def environment(self) -> dict[str, str]:
        """Return it as the variables that the settings read."""
        return {
            "NEWSLETTER_SECONDS": str(self.seconds),
            "NEWSLETTER_MAILS": str(self.mails),
            "PROVIDER_LIMIT": str(self.limit),
            "PROVIDER_BURST": str(self.burst),
        }

    @property
    def bad_addresses(self) -> int:
        """Return how many of its customers have moved away."""
        lines = DATA.read_text(encoding="utf-8").splitlines()[1 : self.mails + 1]
        return sum(GONE in line for line in lines)


def plan_for(seconds: int, mails: int | None = None) -> Plan:
    """Return the plan for a window of so many seconds."""
    if seconds < 2:
        raise CommandError(
            f"A window of {seconds} s is too short to show anything: take 2 or more."
        )
    mails = min(mails or seconds * min(5 + seconds, 30), MOST_MAILS)
    limit = ceil(1.3 * mails / seconds)
    return Plan(seconds=seconds, mails=mails, limit=limit, burst=ceil(limit * min(seconds / 5, 2)))
