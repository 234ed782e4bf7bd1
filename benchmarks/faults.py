"""Kill a worker's process, empty Redis, and kill a whole worker in the middle of a batch.

    python -m benchmarks.faults [--database sqlite|postgres] [--count 10000]

Every body writes a line to a file of its own making, which neither the database nor Redis knows.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from benchmarks.engine import children, servers, wait_for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    os.environ["AGENDA_BENCH_SHORT_LEASES"] = "1"
    with servers(options.database):
        ledger = Path(os.environ["AGENDA_BENCH_PLACE"], "ledger")
        ledger.touch(0o666)
        os.environ["AGENDA_BENCH_LEDGER"] = str(ledger)
        hurt(options.count, ledger)


def hurt(count: int, ledger: Path) -> None:
    from benchmarks.tasks import write_down
    from django_agenda import Agenda, Call
    from django_agenda.broker.connection import client
    from django_agenda.models import Batch

    workers = [start_worker(), start_worker()]
    time.sleep(2)
    calls = (Call(write_down, (number,)) for number in range(count))
    batch = Agenda(calls, count=count).scatter(over=timedelta(seconds=6))
    try:
        time.sleep(1.5)
        # Its supervisor lives, and starts another.
        for pid in children(workers[0].pid):
            os.kill(pid, signal.SIGKILL)
        time.sleep(1)
        client().flushall()
        time.sleep(1)
        kill_whole(workers[1])
        workers.append(start_worker())
        wait_for(batch, 60)
    finally:
        for worker in workers:
            kill_whole(worker)
    runs = Counter(ledger.read_text().split())
    rows = Counter(batch.executions.values_list("status", flat=True))
    counts = {name: getattr(batch, name) for name in Batch.COUNTS if getattr(batch, name)}
    print(f"{batch.describe()}: {count - len(runs)} lost, {runs.total() - len(runs)} extra runs,")
    print(f"counters {'equal' if counts == dict(rows) else 'DIFFER FROM'} the rows")
    if counts != {"succeeded": count} or len(runs) != count:
        sys.exit(1)


def start_worker() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "django", "run_agenda_worker"]
    return subprocess.Popen(command, start_new_session=True)


def kill_whole(worker: subprocess.Popen[bytes]) -> None:
    """Kill all its processes at once, as the end of a machine does."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


if __name__ == "__main__":
    main()
