"""A survey as the lines of agenda_status."""

from __future__ import annotations

from django_agenda.scheduling.survey import Survey

from .durations import in_words
from .tables import aligned


def status_lines(survey: Survey) -> list[str]:
    """Return everything on one screen: the whole first, then queues, workers and trouble."""
    late = survey.lateness
    batches = ", ".join(f"{count:,} {status}" for status, count in survey.batches.items())
    facts = [
        ("at", f"{survey.moment:%Y-%m-%d %H:%M:%S} UTC"),
        ("redis", survey.broker_error or f"answers, {(survey.redis_memory or 0) / 2**20:,.1f} MiB"),
        ("batches", batches or "none unfinished"),
        ("executions", _executions(survey)),
        ("oldest due", in_words(survey.oldest_due_s)),
        ("lateness", _lateness(late.count, late.p50_ms, late.p95_ms, late.max_ms)),
    ]
    facts += [("strike", words) for words in survey.strikes]
    return [*aligned(facts), "", *_queues(survey), "", *_workers(survey), *_drift(survey)]


def _executions(survey: Survey) -> str:
    counts = {
        "running": survey.running,
        "due": survey.due,
        "scheduled": survey.scheduled,
        "pending": survey.pending,
        "held": survey.held,
    }
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _lateness(count: int, *quantiles: int | None) -> str:
    if not count:
        return "nothing started in the last 5 minutes"
    names = ("p50", "p95", "max")
    numbers = ", ".join(
        f"{name} {value:,} ms" for name, value in zip(names, quantiles, strict=True)
    )
    return f"{numbers} ({count:,} of the last 5 minutes)"


def _queues(survey: Survey) -> list[str]:
    if not survey.queues:
        return ["No queue was used yet."]
    head = ("queue", "state", "waiting", "due", "held", "in redis", "oldest due")
    rows = [
        (
            one.name,
            "paused" if one.is_paused else "open",
            one.waiting,
            one.due,
            one.held,
            one.in_redis,
            in_words(one.oldest_due_s),
        )
        for one in survey.queues
    ]
    return aligned([head, *rows])


def _workers(survey: Survey) -> list[str]:
    if not survey.workers:
        return ["No worker is running."]
    head = ("worker", "status", "running", "of", "last beat", "queues")
    rows = [
        (
            one.name,
            one.status if one.is_alive else "silent",
            one.running,
            one.concurrency,
            in_words(one.beat_age_s),
            one.queues,
        )
        for one in survey.workers
    ]
    return aligned([head, *rows])


def _drift(survey: Survey) -> list[str]:
    drift = survey.drift
    words = [
        (drift.overdue_missing, "overdue executions that redis does not hold"),
        (drift.untold_batches, "batches that redis was not wholly told of"),
        (drift.orphans, "executions that run under no living worker"),
    ]
    found = [f"drift: {count:,} {what}" for count, what in words if count]
    return ["", *found] if found else []
