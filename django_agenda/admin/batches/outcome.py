"""What came of a batch in its two stages: told to the broker, and run. They are never added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import charts, wording
from django_agenda.admin.states import ENQUEUED, HELD, OUTCOMES, State
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

_RUN = ("succeeded", "failed", "missed", "cancelled", "skipped", "running", "scheduled")

_STATES = {**OUTCOMES, "paused": HELD}


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
    """Return how many the broker was told of, refused, and need not know; the rest is `others`."""
    needed = batch.total - batch.skipped
    enqueued = min(batch.enqueued, max(needed - batch.pending, 0))
    return {
        "enqueued": enqueued,
        "pending": batch.pending,
        "skipped": batch.skipped,
        "others": max(needed - enqueued - batch.pending, 0),
    }


def scheduling(batch: Batch, rows: QuerySet[Execution]) -> Stage:
    """Return the first stage: one statement, or two if some were never told to the broker."""
    words = {
        "enqueued": str(ENQUEUED.label),
        "succeeded": _("taken without Redis"),
        "pending": _("not enqueued"),
        "skipped": _("skipped, the key was alive"),
        "cancelled": _("withdrawn"),
        "scheduled": _("not told to the broker yet"),
        "paused": str(HELD.label),
    }
    counts = scheduling_counts(batch)
    others = counts.pop("others")
    if others:
        for slug, many in _others(batch, rows, others).items():
            counts[slug] = counts.get(slug, 0) + many
    return _stage(_("Scheduling"), batch, counts, words)


def _others(batch: Batch, rows: QuerySet[Execution], many: int) -> dict[str, int]:
    """Tell apart what was not enqueued in its turn: what waits, what is over, what was taken.

    What was held then and let go since has been enqueued after all. While the broker refused,
    workers took what was due from the database.
    """
    found = {"scheduled": 0, "paused": 0}
    if not batch.is_finished:
        waiting = rows.filter(status=Execution.Status.SCHEDULED).order_by()
        untold = waiting.filter(held_by="", position__gte=batch.told_until)
        found["scheduled"] = untold.count() if batch.told_until < batch.total else 0
        found["paused"] = waiting.exclude(held_by="").count()
    found = _at_most(many, found)
    left = many - sum(found.values())
    found |= _at_most(left, {"cancelled": batch.cancelled + batch.missed})
    left = many - sum(found.values())
    return found | {"succeeded" if batch.enqueue_error else "enqueued": left}


def _at_most(most: int, counts: dict[str, int]) -> dict[str, int]:
    left = most
    for slug, many in counts.items():
        counts[slug] = min(many, left)
        left -= counts[slug]
    return counts


def running(batch: Batch, url: Callable[[str], str], chosen: str, struck: int = 0) -> Stage:
    """Return the second stage; its outcomes are links that filter the page.

    `struck` is how many of what is scheduled strikes hold: these are told apart.
    """
    counts = {slug: getattr(batch, slug) for slug in _RUN}
    words = {slug: str(OUTCOMES[slug].label) for slug in _RUN} | {"paused": str(HELD.label)}
    if struck:
        counts["paused"] = min(struck, counts["scheduled"])
        counts["scheduled"] -= counts["paused"]
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
            state=_STATES.get(slug, ENQUEUED),
            label=words[slug],
            count=wording.count(many),
            percent=wording.percent(many, batch.total),
            url=url("" if slug == chosen else slug) if url and slug in OUTCOMES else "",
            is_chosen=slug == chosen,
        )
        for slug, many in counts.items()
        if many
    ]
    label = ", ".join(f"{share.count} {share.label}" for share in shares)
    return Stage(
        title=title, bar=charts.bar(counts, batch.total, f"{title}: {label}"), shares=shares
    )
