"""Look at what rq-scheduler has scheduled in Redis."""

from __future__ import annotations

from collections.abc import Iterator

from django_agenda.broker.rq import RqJob, read_rq_jobs

__all__ = ["RqJob", "rq_jobs"]


def rq_jobs(url: str) -> Iterator[RqJob]:
    """See read_rq_jobs()."""
    yield from read_rq_jobs(url)
