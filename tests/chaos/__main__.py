"""Run executions under faults, and judge what became of them.

    python -m tests.chaos run --scenario mixed --database postgres --executions 10000 --faults 60
    python -m tests.chaos recovery
    python -m tests.chaos series --executions 100000 --faults 1000

Each prints its numbers and its seed, writes them as JSON to the folder that AGENDA_CHAOS_RESULTS
names, and ends with 1 when anything is wrong. A series makes many runs, and writes
docs/reliability.md when all of them were right.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django_agenda.exceptions import ServerMissing

from .crew import ROOT
from .ground import versions
from .run import Plan, Run

FOLDER = "AGENDA_CHAOS_RESULTS"
RESULTS = ROOT / "build" / "chaos"
RATE = 180.0
# A fault about every second, as in the gate.
SERIES_RATE = 120.0
MISSING = 77
SCENARIOS = ("mixed", "redis", "database", "term", "kill", "none")
# Which share of a series each run gets; the first as often as there are seeds.
MIXED = 0.8
OTHERS = (
    ("mixed", "sqlite"),
    ("redis", "postgres"),
    ("database", "postgres"),
    ("term", "postgres"),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="one run")
    run.add_argument("--scenario", choices=SCENARIOS, default="mixed")
    run.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    run.add_argument("--executions", type=int, default=10_000)
    run.add_argument("--faults", type=int, default=60)
    run.add_argument("--rate", type=float, default=RATE, help="executions a second")
    run.add_argument("--seed", type=int, default=None)
    run.add_argument("--keep", action="store_true", help="leave ledger and logs behind")
    verbs.add_parser("recovery", help="how soon work goes on, with the default settings")
    series = verbs.add_parser("series", help="many runs, and the page of the documentation")
    series.add_argument("--executions", type=int, default=100_000)
    series.add_argument("--faults", type=int, default=1_000)
    series.add_argument("--rate", type=float, default=SERIES_RATE, help="executions a second")
    series.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    verbs.add_parser("page", help="write the page anew from the numbers of the last series")
    options = parser.parse_args()
    actions = {"run": one_run, "recovery": recovery, "series": many, "page": page}
    try:
        return actions[options.verb](options)
    except ServerMissing as error:
        print(f"SKIP {error}")
        return MISSING


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

        found = assert_sound(run) | {"machine": machine(run)}
    finally:
        run.close()
        if options.keep:
            print(f"Ledger and logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return report(found, f"{plan.scenario}-{plan.database}-{seed}")


def recovery(options: argparse.Namespace) -> int:
    from .recovery import Recovery

    with tempfile.TemporaryDirectory(prefix="agenda-chaos-") as folder:
        measured = Recovery(Path(folder))
        try:
            found = measured.measure()
        finally:
            measured.close()
    return report(found, "recovery")


def many(options: argparse.Namespace) -> int:
    results = Path(os.environ.get(FOLDER) or RESULTS)
    shutil.rmtree(results, ignore_errors=True)
    plans = [("mixed", "postgres", seed, MIXED / len(options.seeds)) for seed in options.seeds]
    share = (1 - MIXED) / len(OTHERS)
    plans += [(scenario, name, options.seeds[0], share) for scenario, name in OTHERS]
    commands = [
        [
            *("run", "--scenario", scenario, "--database", database, "--seed", str(seed)),
            *("--executions", str(round(options.executions * share))),
            *("--faults", str(round(options.faults * share)), "--rate", str(options.rate)),
        ]
        for scenario, database, seed, share in plans
    ]
    codes = [_again(results, command) for command in [*commands, ["recovery"]]]
    return 1 if any(codes) else page(options)


def page(options: argparse.Namespace) -> int:
    from .page import write_page

    write_page(Path(os.environ.get(FOLDER) or RESULTS))
    return 0


def _again(results: Path, command: list[str]) -> int:
    """Run this command in a process of its own: each run has servers and settings of its own."""
    environment = os.environ | {FOLDER: str(results)}
    command = [sys.executable, "-m", "tests.chaos", *command]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def machine(run: Run) -> str:
    """Say where this was measured."""
    here = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{', '.join([here, *versions(run.ground)])}."


def report(found: dict[str, Any], name: str) -> int:
    place = Path(os.environ.get(FOLDER) or tempfile.mkdtemp(prefix="agenda-chaos-results-"))
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.json").write_text(json.dumps(found, indent=1))
    print(json.dumps({key: found[key] for key in found if key not in ("wrong", "settings")}))
    print(f"Written to {place / name}.json.")
    for sentence in found["wrong"]:
        print(f"WRONG {sentence}")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
