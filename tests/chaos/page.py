"""The page of the documentation that tells what the last series of runs came to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .crew import ROOT

PAGE = ROOT / "docs" / "reliability.md"
WINDOWS = ("D1", "D2", "D3", "D4", "none")
COLUMNS = (
    *("kinds", "database", "seed", "executions", "faults", "lost", "D1", "D2", "D3", "D4", "else"),
    *("late, median", "late, 99 %", "latest"),
)

_HEAD = """\
# Reliability, measured

`make chaos` has written this page. It runs executions while workers and servers are hurt, and then
holds every row, every line that the bodies themselves wrote into a file, Redis, and the ends of the
workers against each other. What is promised, and why, is in
[Reliability](explanation/reliability.md); everything that this page says was measured on the
machine named here.

{machine}

**{executions} executions, {faults} faults: {lost} lost, {extra} extra runs, none of them outside
the windows in which an execution may run twice.** {attempts} bodies ran, retries among them; every
batch finished once, with each of its callbacks once, and every count equalled its rows.
"""

_RUNS = """\
## Runs

Workers have leases of 2 seconds here, a fifteenth of the default, so that a minute holds as many
losses of workers as half an hour would. "Late" is how long after its moment an execution first
started.

{columns}
{line}
{runs}

The windows are those of [What runs twice](explanation/reliability.md#what-runs-twice): D1 is a
worker that died, D2 one that was frozen for longer than its lease, D3 one that its watchdog ended,
D4 a shutdown that ran out of time. "Else" would be a fault of ours.

One run again: `python -m tests.chaos run --scenario mixed --database postgres --seed 1
--rate 120`, with `--executions` and `--faults` from the table. The seed fixes which faults come
when; what they hit is up to the machine.
"""

_FAULTS = """\
## Faults

| fault | times |
|---|---|
{faults}

A lost answer is a request that the server got and did, whose answer and connection a proxy dropped.
"""

_RECOVERY = """\
## Recovery

With the default settings, `python -m tests.chaos recovery`:

| after | seconds | at most |
|---|---|---|
{figures}
"""


def write_page(results: Path) -> None:
    """Write the page from the numbers in a folder."""
    found = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    assert not any(one["wrong"] for one in found), "A run with something wrong is no result."
    runs = [one for one in found if "figures" not in one]
    recoveries = [one for one in found if "figures" in one]
    columns = {"columns": f"| {' | '.join(COLUMNS)} |", "line": "|---" * len(COLUMNS) + "|"}
    parts = [_head(runs), _RUNS.format(runs="\n".join(map(_run, _in_order(runs))), **columns)]
    kinds: Counter[str] = sum((Counter(one["faults_by_kind"]) for one in runs), Counter())
    rows = (f"| {name} | {number} |" for name, number in sorted(kinds.items()))
    parts.append(_FAULTS.format(faults="\n".join(rows)))
    if recoveries:
        parts.append(_RECOVERY.format(figures="\n".join(_figures(recoveries[-1]))))
    PAGE.write_text("\n".join(parts))


def _head(runs: list[dict[str, Any]]) -> str:
    return _HEAD.format(
        machine=runs[0]["machine"],
        executions=_number(sum(one["rows"] for one in runs)),
        faults=_number(sum(sum(one["faults_by_kind"].values()) for one in runs)),
        lost=sum(one["lost"] for one in runs),
        extra=sum(one["extra_runs"] for one in runs),
        attempts=_number(sum(one["bodies"] for one in runs)),
    )


def _in_order(runs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(runs, key=lambda one: (-one["executions"], one["database"], one["scenario"]))


def _run(one: dict[str, Any]) -> str:
    windows = [str(one["extra_by_window"].get(name, 0)) for name in WINDOWS]
    late = [f"{one[name]:.2f} s" for name in ("late_p50", "late_p99", "late_max")]
    faults = str(sum(one["faults_by_kind"].values()))
    cells = [one["scenario"], one["database"], str(one["seed"]), _number(one["rows"]), faults]
    return f"| {' | '.join([*cells, str(one['lost']), *windows, *late])} |"


def _figures(recovery: dict[str, Any]) -> Iterator[str]:
    for name, figure in recovery["figures"].items():
        yield f"| {name} | {figure['seconds']} | {figure['limit']:.0f} |"


def _number(value: int) -> str:
    return f"{value:,}".replace(",", " ")
