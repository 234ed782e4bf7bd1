"""Run executions under faults, and judge what became of them.

    python -m tests.chaos run --scenario mixed --database postgres --executions 10000 --faults 60

Prints the seed and the numbers, writes them as JSON, and ends with 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from .run import Plan, Run

FOLDER = "AGENDA_CHAOS_RESULTS"
RATE = 200.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="one run")
    run.add_argument("--scenario", default="mixed")
    run.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    run.add_argument("--executions", type=int, default=10_000)
    run.add_argument("--faults", type=int, default=60)
    run.add_argument("--rate", type=float, default=RATE, help="executions a second")
    run.add_argument("--seed", type=int, default=None)
    run.add_argument("--keep", action="store_true", help="leave ledger and logs behind")
    options = parser.parse_args()
    return one_run(options)


def one_run(options: argparse.Namespace) -> int:
    seed = random.randrange(10**6) if options.seed is None else options.seed
    plan = Plan(
        scenario=options.scenario,
        database=options.database,
        executions=options.executions,
        faults=options.faults,
        seconds=options.executions / options.rate,
        seed=seed,
    )
    print(f"{plan.scenario} faults on {plan.database}, seed {seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="agenda-chaos-")
    run = Run(plan, Path(folder))
    try:
        run.go()
        from .soundness import assert_sound

        found = assert_sound(run)
    finally:
        run.close()
        if options.keep:
            print(f"Ledger and logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report(found)
    return 1 if found["wrong"] else 0


def report(found: dict[str, Any]) -> None:
    place = Path(os.environ.get(FOLDER) or tempfile.mkdtemp(prefix="agenda-chaos-results-"))
    place.mkdir(parents=True, exist_ok=True)
    name = f"{found['scenario']}-{found['database']}-{found['seed']}.json"
    (place / name).write_text(json.dumps(found, indent=1))
    print(json.dumps({key: found[key] for key in found if key not in ("wrong", "settings")}))
    print(f"Written to {place / name}.")
    for sentence in found["wrong"]:
        print(f"WRONG {sentence}")


if __name__ == "__main__":
    sys.exit(main())
