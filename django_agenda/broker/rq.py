"""What rq-scheduler keeps in Redis, as far as it can be read without unpickling anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from redis import Redis, RedisError

from django_agenda.exceptions import BrokerUnavailable

KEY = "rq:scheduler:scheduled_jobs"
_LONGEST = 300


class RqJob(NamedTuple):
    """Hold the id of a job, when it is due next, its queue and how it describes itself."""

    id: str
    due_at: datetime
    queue_name: str
    description: str


def read_rq_jobs(url: str) -> Iterator[RqJob]:
    """Give the jobs that wait in the Redis at that address, the earliest first.

    Raises ValueError for what is no address, BrokerUnavailable when nothing answers there.
    """
    with Redis.from_url(url, decode_responses=True, encoding_errors="replace") as client:
        try:
            for id_, score in client.zrange(KEY, 0, -1, withscores=True):
                origin, description = client.hmget(f"rq:job:{id_}", "origin", "description")
                due_at = datetime.fromtimestamp(float(score), UTC)
                yield RqJob(str(id_), due_at, origin or "", (description or "")[:_LONGEST])
        except RedisError as error:
            raise BrokerUnavailable(str(error)) from error
