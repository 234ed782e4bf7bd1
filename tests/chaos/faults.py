"""Everything that is done to workers and servers while executions run."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random

import redis

from django_agenda.clock import now

from .crew import Crew, Life
from .ground import Ground

WORKERS = ("kill -9", "process killed", "SIGTERM", "frozen briefly", "frozen past the lease")
REDIS = (
    "FLUSHALL",
    "Redis killed, back empty",
    "CLIENT KILL",
    "CLIENT PAUSE",
    "answers of Redis lost",
    "connections to Redis reset",
)
POSTGRES = (
    "sessions terminated",
    "PostgreSQL restarted",
    "answers to COMMIT lost",
    "answers to UPDATE lost",
    "connections to PostgreSQL reset",
)
SQLITE = ("database locked",)


def kinds(name: str, database: str) -> tuple[str, ...]:
    """Return the faults of a scenario."""
    of_the_database = POSTGRES if database == "postgres" else SQLITE
    return {
        "mixed": (*WORKERS, *REDIS, *of_the_database),
        "redis": REDIS,
        "database": of_the_database,
        "term": ("SIGTERM",),
        "kill": ("kill -9", "process killed"),
        "none": (),
    }[name]


class Faults:
    """Do so many faults within so many seconds; everything follows from the seed.

    `step` must be called from the main thread, which the servers are bound to.
    """

    def __init__(
        self, ground: Ground, crew: Crew, names: tuple[str, ...], *, number: int, seconds: float,
        ttl: float, seed: int,
    ) -> None:  # fmt: skip
        self._ground = ground
        self._crew = crew
        self._ttl = ttl
        self._random = Random(seed)
        self._order = count()
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self.done: Counter[str] = Counter()
        self.log: list[str] = []
        chosen: list[str] = []
        while names and len(chosen) < number:
            chosen += self._random.sample(names, len(names))
        for place, name in enumerate(chosen[:number]):
            moment = (place + self._random.random()) * seconds / number
            self._at(moment, partial(self._do, name))
        self._now = 0.0

    @property
    def are_over(self) -> bool:
        return not self._plan

    def step(self, moment: float) -> None:
        """Do what is due by now, in seconds since the beginning."""
        self._now = moment
        while self._plan and self._plan[0][0] <= moment:
            heapq.heappop(self._plan)[2]()

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (moment, next(self._order), action))

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._at(self._now + seconds, action)

    def _do(self, name: str) -> None:
        done = _ACTIONS[name](self)
        if done is False:
            # Not possible at this moment: nobody to hurt, or it lies already.
            self._after(0.25, lambda: self._do(name))
        else:
            self.done[name] += 1
            self.log.append(f"{now():%H:%M:%S.%f} {name}")

    # --- workers ---

    def _victim(self) -> Life | None:
        """Return a worker to hurt, while another works: to start one takes longer than a fault."""
        able = [one for one in self._crew.running if not one.ended_by and one.is_ready]
        awake = [one for one in able if one.froze_at is None]
        return self._random.choice(able) if len(awake) > 1 else None

    def kill(self) -> bool:
        victim = self._victim()
        if victim is not None:
            self._crew.kill(victim)
        return victim is not None

    def hurt(self) -> bool:
        victim = self._victim()
        return victim is not None and victim.froze_at is None and self._crew.hurt(victim)

    def terminate(self) -> bool:
        victim = self._victim()
        if victim is None or victim.froze_at is not None:
            return False
        self._crew.terminate(victim)
        return True

    def freeze_briefly(self) -> bool:
        return self._freeze(self._random.uniform(0.1, 0.4) * self._ttl)

    def freeze_long(self) -> bool:
        return self._freeze(self._random.uniform(1.3, 1.8) * self._ttl)

    def _freeze(self, seconds: float) -> bool:
        victim = self._victim()
        if victim is None or any(life.froze_at is not None for life in self._crew.running):
            return False
        self._crew.freeze(victim)
        self._after(seconds, lambda: self._crew.thaw(victim))
        return True

    # --- Redis ---

    def flush(self) -> bool:
        return self._tell_redis("FLUSHALL")

    def crash_redis(self) -> bool:
        if self._ground.redis.pid is None:
            return False
        self._ground.redis.kill()
        self._after(self._random.uniform(0, 1), self._ground.redis.start)
        return True

    def kill_clients(self) -> bool:
        return self._tell_redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def pause_redis(self) -> bool:
        return self._tell_redis("CLIENT", "PAUSE", str(self._random.randint(200, 1500)), "ALL")

    def lose_redis(self) -> None:
        self._ground.redis_proxy.lose(self._random.randint(1, 5), b"EVALSHA")

    def cut_redis(self) -> None:
        self._ground.redis_proxy.cut()

    def _tell_redis(self, *command: str) -> bool:
        if self._ground.redis.pid is None:
            return False
        with redis.Redis(unix_socket_path=self._ground.redis.path) as client:
            client.execute_command(*command)
        return True

    # --- the database ---

    def terminate_sessions(self) -> None:
        assert self._ground.postgres is not None
        self._ground.postgres.terminate_all()

    def restart_postgres(self) -> None:
        assert self._ground.postgres is not None
        self._ground.postgres.crash()
        self._ground.postgres.start()

    def lose_commits(self) -> None:
        assert self._ground.database_proxy is not None
        self._ground.database_proxy.lose(self._random.randint(1, 5), b"COMMIT")

    def lose_updates(self) -> None:
        assert self._ground.database_proxy is not None
        self._ground.database_proxy.lose(self._random.randint(1, 5), b"UPDATE")

    def cut_postgres(self) -> None:
        assert self._ground.database_proxy is not None
        self._ground.database_proxy.cut()

    def lock_sqlite(self) -> bool:
        connection = self._ground.lock_sqlite()
        if connection is None:
            return False
        self._after(self._random.uniform(0.2, 1), connection.close)
        return True


_ACTIONS: dict[str, Callable[[Faults], bool | None]] = {
    "kill -9": Faults.kill,
    "process killed": Faults.hurt,
    "SIGTERM": Faults.terminate,
    "frozen briefly": Faults.freeze_briefly,
    "frozen past the lease": Faults.freeze_long,
    "FLUSHALL": Faults.flush,
    "Redis killed, back empty": Faults.crash_redis,
    "CLIENT KILL": Faults.kill_clients,
    "CLIENT PAUSE": Faults.pause_redis,
    "answers of Redis lost": Faults.lose_redis,
    "connections to Redis reset": Faults.cut_redis,
    "sessions terminated": Faults.terminate_sessions,
    "PostgreSQL restarted": Faults.restart_postgres,
    "answers to COMMIT lost": Faults.lose_commits,
    "answers to UPDATE lost": Faults.lose_updates,
    "connections to PostgreSQL reset": Faults.cut_postgres,
    "database locked": Faults.lock_sqlite,
}
