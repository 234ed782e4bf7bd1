"""A report of a repair as the lines of agenda_reconcile."""

from __future__ import annotations

from django_agenda.scheduling.audit import Drift
from django_agenda.scheduling.repair import Report

from .tables import aligned

MOST_BATCHES = 20


def report_lines(report: Report, *, repaired: bool) -> list[str]:
    """Return what differed, and whether it does no more."""
    if report.is_clean:
        return [f"Redis, rows and the counts of {report.batches:,} batches agree."]
    done = "repaired" if repaired else "found"
    words = [
        (report.missing, "executions that Redis lacked"),
        (report.strangers, "ids in Redis that no row waits for"),
        (report.never_told, "batches that Redis was not wholly told of"),
        (report.refused, "executions that Redis had refused"),
        (report.expired, "executions that had expired"),
        (len(report.drifts), "batches whose counts differed from their rows"),
    ]
    lines = aligned([(done, count, what) for count, what in words if count])
    lines += [_sentence(one) for one in report.drifts[:MOST_BATCHES]]
    if len(report.drifts) > MOST_BATCHES:
        lines.append(f"  and {len(report.drifts) - MOST_BATCHES:,} more batches")
    return lines


def _sentence(drift: Drift) -> str:
    deltas = {**drift.deltas, **({"total": drift.total} if drift.total else {})}
    parts = [f"{name} {delta:+,}" for name, delta in deltas.items()]
    if drift.is_unclosed:
        parts.append("the mark of its end")
    return f"  batch {drift.batch_id}: {', '.join(parts)}"
