"""What workers hold: what runs in their slots, what is at hand beyond them, what lost ones left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.admin import wording
from django_agenda.models.worker import Worker


class Hands(NamedTuple):
    """Count what is claimed; a worker claims a little more than it can run at once.

    `at_hand` is what it runs as soon as a slot is free. `lost` is what nobody alive holds.
    """

    running: int = 0
    at_hand: int = 0
    lost: int = 0


def hands_of(claimed: int, slots: int) -> Hands:
    """Tell apart what one worker has claimed: it fills its slots first."""
    running = min(claimed, slots)
    return Hands(running, claimed - running)


def all_hands(claimed: Mapping[object, int], living: Sequence[Worker]) -> Hands:
    """Tell apart what is claimed by whom, by the ids of workers."""
    each = [hands_of(claimed.get(one.pk, 0), one.concurrency) for one in living]
    running, at_hand = sum(one.running for one in each), sum(one.at_hand for one in each)
    return Hands(running, at_hand, sum(claimed.values()) - running - at_hand)


def words_of(hands: Hands, slots: int) -> str:
    """Return how many slots are busy of how many there are, and what is at hand."""
    busy = f"{wording.count(hands.running)} / {wording.count(slots)}"
    if not hands.at_hand:
        return busy
    at_hand = _("%(count)s at hand") % {"count": wording.count(hands.at_hand)}
    return f"{busy} + {at_hand}"


def lost_words(many: int) -> str:
    """Say how many were left by workers that are lost."""
    words = ngettext("%(count)s with lost workers", "%(count)s with lost workers", many)
    return words % {"count": wording.count(many)}


def silent_words(silent: Sequence[Worker], claimed: Mapping[object, int]) -> list[str]:
    """Say of workers that missed heartbeats what they hold until they are heard of, or lost."""
    if not silent:
        return []
    held = sum(claimed.get(one.pk, 0) for one in silent)
    words = ngettext(
        "%(names)s is silent and holds %(count)s: they are begun again once it is lost",
        "%(names)s are silent and hold %(count)s: they are begun again once those are lost",
        len(silent),
    )
    names = wording.some_names([one.name for one in silent])
    return [words % {"names": names, "count": wording.count(held)}]
