"""The tables and plots of ``bench compare``, out of its cells."""

from __future__ import annotations

import json
import statistics
from typing import Any

from bench import peers, plots
from bench.peers.ours import Ours
from bench.results import Cell, Results, machine
from bench.rig import Wishes
from bench.tables import NOTHING, ratio, seconds, size, table
from bench.trees import Tree

CASES = ("first", "second", "third", "small", "none", "large", "rollback")
OURS = Ours.name

Cells = dict[str, dict[str, Cell]]  # peer -> case -> cell


def compare(results: Results, tree: Tree, wishes: Wishes) -> int:
    """Print the tables and write them beside the cells; what must be reached is judged by ``bench.goals``."""
    known = peers.table()
    cells = {name: _of(results, name) for name in known}
    measured: Cells = {name: each for name, each in cells.items() if each}
    missing = {name: found["missing"] for name in known if (found := results.get(name, "missing"))}
    text = [_head(results, tree, wishes), _overview(measured), _why_not({**missing, **peers.ABSENT})]
    text += [_details(case, measured) for case in CASES]
    text.append(_pings(results))
    told = "\n".join(part for part in text if part)
    print(told)
    (results.directory / "table.md").write_text(told)
    (results.directory / "all.json").write_text(json.dumps(measured, indent=1))
    plots.bars(
        results.directory / "seconds", _bars(measured), "seconds", "small change, large change, rollback"
    )
    return 0


def _of(results: Results, name: str) -> dict[str, Cell]:
    found = {case: results.get(name, case) for case in CASES}
    return {case: cell for case, cell in found.items() if cell}


def _head(results: Results, tree: Tree, wishes: Wishes) -> str:
    first = next((cell for _, cell in results.all() if "labels" in cell), {})
    labels = "".join(f"; {label}" for label in first.get("labels", []))
    small = len(tree.changes("small/2", "small/3"))
    large = len(tree.changes("small/5", "large/1"))
    return (
        f"{tree.files:,} files, {wishes.targets} targets on one machine ({machine()}){labels}. "
        f"Small: {small} files differ; large: {large:,}. Seconds from prompt to prompt.\n"
    )


def _overview(measured: Cells) -> str:
    ours = measured.get(OURS, {})
    rows = []
    for name, cells in measured.items():
        row = [name]
        for case in CASES:
            took = cells.get(case, {}).get("seconds")
            base = ours.get(case, {}).get("seconds") if name != OURS else None
            row.append(f"{seconds(took)} ({ratio(took, base)})" if took and base else seconds(took))
        rows.append(row)
    return table(("seconds (× ours)", *CASES), rows)


def _why_not(missing: dict[str, str]) -> str:
    return "".join(f"Not measured: {name}: {why}.\n" for name, why in missing.items())


def _details(case: str, measured: Cells) -> str:
    """One case: what it cost whom."""
    head = (
        case,
        "seconds",
        "hub sent",
        "hub CPU s",
        "target CPU s",
        "target wrote",
        "files",
        "hub +MB",
        "target +MB",
    )
    rows = [_costs(name, cells[case]) for name, cells in measured.items() if case in cells]
    return table(head, rows) if rows else ""


def _costs(name: str, cell: Cell) -> list[str]:
    hub = cell["hosts"]["hub"]
    targets = [each for host, each in cell["hosts"].items() if host != "hub"]
    return [
        name,
        seconds(cell["seconds"]),
        size(hub["sent"]),
        seconds(hub["cpu"]),
        seconds(_mean(targets, "cpu")),
        size(_mean(targets, "written")),
        f"{cell['files_written']:,}" if "files_written" in cell else NOTHING,
        f"{hub['memory'] / 1e6:.0f}",
        f"{_mean(targets, 'memory') / 1e6:.0f}",
    ]


def _mean(hosts: list[dict[str, Any]], figure: str) -> float:
    return statistics.fmean(host[figure] for host in hosts)


def _pings(results: Results) -> str:
    ping = results.get(OURS, "ping")
    return (
        f"One round of `salt '*' test.ping`, from prompt to prompt: {seconds(ping['seconds'])} s.\n"
        if ping
        else ""
    )


def _bars(measured: Cells) -> dict[str, dict[str, float]]:
    shown = ("small", "large", "rollback")
    return {
        name: {case: cells[case]["seconds"] for case in shown if case in cells}
        for name, cells in measured.items()
    }
