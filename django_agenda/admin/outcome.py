"""What came of a batch in its two stages: told to the broker, and run. They are never added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.models.batch import Batch

from . import charts, wording
from .states import ENQUEUED, OUTCOMES, State

_RUN = ("succeeded", "failed", "missed", "cancelled", "skipped", "running", "scheduled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Hold one outcome of a stage; the percentage is of all executions of the batch."""

    state: State
    label: str
    count: str
    percent: str
    url: str = ""
    is_chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Hold one of the two stages."""

    title: str
    bar: SafeString
    shares: list[Share]


def scheduling_counts(batch: Batch) -> dict[str, int]:
    """Return how many the broker was told of, refused, need not know, and will be told of."""
    needed = batch.total - batch.skipped
    enqueued = min(batch.enqueued, max(needed - batch.pending, 0))
    return {
        "enqueued": enqueued,
        "pending": batch.pending,
        "skipped": batch.skipped,
        "scheduled": max(needed - enqueued - batch.pending, 0),
    }


def scheduling(batch: Batch) -> Stage:
    """Return the first stage."""
    words = {
        "enqueued": str(ENQUEUED.label),
        "pending": _("not enqueued"),
        "skipped": _("skipped, the key was alive"),
        "scheduled": _untold(batch),
    }
    counts = scheduling_counts(batch)
    return _stage(_("Scheduling"), batch, counts, words)


def _untold(batch: Batch) -> str:
    if batch.is_finished:
        return _("withdrawn")
    # Whoever enqueues has passed them over.
    return _("held") if batch.told_until >= batch.total else _("not told to the broker yet")


def running(batch: Batch, url: Callable[[str], str], chosen: str) -> Stage:
    """Return the second stage; its outcomes are links that filter the page."""
    counts = {slug: getattr(batch, slug) for slug in _RUN}
    words = {slug: str(OUTCOMES[slug].label) for slug in _RUN}
    return _stage(_("Running"), batch, counts, words, url, chosen)


def _stage(
    title: str,
    batch: Batch,
    counts: Mapping[str, int],
    words: Mapping[str, str],
    url: Callable[[str], str] | None = None,
    chosen: str = "",
) -> Stage:
    shares = [
        Share(
            state=OUTCOMES.get(slug, ENQUEUED),
            label=words[slug],
            count=wording.count(many),
            percent=wording.percent(many, batch.total),
            url=url("" if slug == chosen else slug) if url else "",
            is_chosen=slug == chosen,
        )
        for slug, many in counts.items()
        if many
    ]
    label = ", ".join(f"{share.count} {share.label}" for share in shares)
    return Stage(
        title=title, bar=charts.bar(counts, batch.total, f"{title}: {label}"), shares=shares
    )
