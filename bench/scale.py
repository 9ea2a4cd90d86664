"""Measure what a deploy costs the master for each target, from a few real minions to as many as the machine takes.

A release of 20 files in a small tree goes to fleets of growing size, each on a new rig; the hub's processor time, divided by
the targets, is what a target costs. A machine with few cores runs all the minions too, so only the hub's processor time says
something; the seconds do not. For fleets that do not fit, ``bench/orchestrator.py`` simulates the hosts and measures the rest.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from bench import compare, end_in_good_order, orchestrator, plots, tables, trees
from bench.peers.ours import Ours
from bench.results import Results, machine
from bench.rig import Rig, Wishes

_FILES = 2_000
_RELEASES = ("base", "small/1", "small/2", "small/3", "small/4", "small/5")
_WARM = 3  # releases that fill the slots
_REAL, _SIMULATED = (10, 20, 40, 70, 100), (1_000, 3_000, 10_000)
_MINION = 90e6  # bytes of memory


def main(options: argparse.Namespace, directory: Path) -> int:
    """Measure what is missing, print the tables, draw the curve."""
    end_in_good_order()
    results = Results(directory / "results" / "scale")
    tree = trees.build(directory, _FILES)
    sizes = (
        [int(size) for size in options.sizes.split(",")] if options.sizes else [n for n in _REAL if _fits(n)]
    )
    for size in sizes:
        if options.again or not results.has("real", str(size)):
            results.put(_real(tree, size), "real", str(size))
    for size in _SIMULATED:
        if options.again or not results.has("simulated", str(size)):
            habits, share = orchestrator.CASES["all is well, all at once"]
            end, jobs, cpu = orchestrator.deploy(size, habits, share, False)
            results.put({"end": end, "jobs": jobs, "cpu": cpu}, "simulated", str(size))
    report(results)
    return 0


def _fits(minions: int) -> bool:
    """Whether so many minions find room in the memory that is free now."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return minions * _MINION < 0.8 * 1024 * int(lines["MemAvailable"].split()[0])


def _real(tree: trees.Tree, size: int) -> dict[str, float]:
    """Medians of the releases with all slots warm, and of rounds of pings."""
    with Rig(Wishes(size)) as rig:
        place = compare.place_on(rig)
        run = compare.Run(Ours(place), tree, place)
        with run.peer.ready():
            cells = [run.case("small" if done else "first", tag) for done, tag in enumerate(_RELEASES)][
                _WARM:
            ]
            pings = [compare.ping(rig, run.peer) for _ in range(3)]
    targets = [host for host in cells[0]["hosts"] if host != "hub"]
    return {
        "seconds": statistics.median(cell["seconds"] for cell in cells),
        "hub_cpu": statistics.median(cell["hosts"]["hub"]["cpu"] for cell in cells),
        "hub_sent": statistics.median(cell["hosts"]["hub"]["sent"] or 0 for cell in cells),
        "target_cpu": statistics.median(cell["hosts"][name]["cpu"] for cell in cells for name in targets),
        "ping_seconds": statistics.median(cell["seconds"] for cell in pings),
        "ping_hub_cpu": statistics.median(cell["hosts"]["hub"]["cpu"] for cell in pings),
    }


def report(results: Results) -> None:
    """Print the tables and write them beside the cells."""
    cells = {tuple(name.split("--")): cell for name, cell in results.all()}
    real = sorted((int(size), cell) for (kind, size), cell in cells.items() if kind == "real")
    simulated = sorted((int(size), cell) for (kind, size), cell in cells.items() if kind == "simulated")
    head = (
        "real minions",
        "seconds",
        "hub CPU s",
        "hub CPU ms/target",
        "hub sent",
        "target CPU s",
        "a ping's hub CPU ms/target",
    )
    rows = [
        (
            str(size),
            tables.seconds(cell["seconds"]),
            tables.seconds(cell["hub_cpu"]),
            f"{1000 * cell['hub_cpu'] / size:.0f}",
            tables.size(cell["hub_sent"]),
            tables.seconds(cell["target_cpu"]),
            f"{1000 * cell['ping_hub_cpu'] / size:.0f}",
        )
        for size, cell in real
    ]
    parts = [f"A release of 20 files in a tree of {_FILES:,} ({machine()}).\n", tables.table(head, rows)]
    rows = [
        (
            f"{size:,}",
            str(cell["end"]),
            str(cell["jobs"]),
            tables.seconds(cell["cpu"]),
            f"{1000 * cell['cpu'] / size:.2f}",
        )
        for size, cell in simulated
    ]
    parts.append(tables.table(("simulated hosts", "end", "jobs", "CPU s", "CPU ms/host"), rows))
    told = "\n".join(parts)
    print(told)
    (results.directory / "table.md").write_text(told)
    curves = {
        "real minions: all of the master": [(size, 1000 * cell["hub_cpu"] / size) for size, cell in real],
        "real minions: a round of test.ping": [
            (size, 1000 * cell["ping_hub_cpu"] / size) for size, cell in real
        ],
        "simulated hosts: the deploy's own process": [
            (size, 1000 * cell["cpu"] / size) for size, cell in simulated
        ],
    }
    title = "what a deploy costs the master for each target"
    plots.lines(
        results.directory / "scale",
        {k: v for k, v in curves.items() if v},
        ("targets", "CPU, ms/target"),
        title,
    )
