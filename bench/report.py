"""The tables, plots and verdicts of ``bench compare``, out of its cells."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any

from bench import peers, plots
from bench.peers.ours import Ours
from bench.peers.peer import NEW_DIRECTORY
from bench.results import Cell, Results, machine
from bench.rig import Wishes
from bench.tables import NOTHING, ratio, seconds, size, table
from bench.trees import Tree

CASES = ("first", "second", "third", "small", "none", "large", "rollback")
OURS = Ours.name
#: How many times faster than these a small change has to be, how many rounds of pings a rollback may take.
_THAN_NEW_DIRECTORIES, _THAN_IN_PLACE, _PINGS = 20.0, 2.0, 3.0

Cells = dict[str, dict[str, Cell]]  # peer -> case -> cell


def compare(results: Results, tree: Tree, wishes: Wishes) -> int:
    """Print the tables and write them beside the cells; 1 when a target is missed."""
    known = peers.table()
    cells = {name: _of(results, name) for name in known}
    measured: Cells = {name: each for name, each in cells.items() if each}
    missing = {name: found["missing"] for name in known if (found := results.get(name, "missing"))}
    text = [_head(results, tree, wishes), _overview(measured), _why_not({**missing, **peers.ABSENT})]
    text += [_details(case, measured) for case in CASES]
    text.append(_pings(results))
    verdicts = list(judge(measured, results.get(OURS, "ping")))
    text.append("Targets:\n\n" + "".join(f"- {line}\n" for line in verdicts))
    told = "\n".join(part for part in text if part)
    print(told)
    (results.directory / "table.md").write_text(told)
    (results.directory / "all.json").write_text(json.dumps(measured, indent=1))
    plots.bars(
        results.directory / "seconds", _bars(measured), "seconds", "small change, large change, rollback"
    )
    return 1 if any(line.startswith("MISSED") for line in verdicts) else 0


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


def judge(measured: Cells, ping: Cell | None) -> Iterator[str]:
    """A line for each target of the project: met or missed, and by how much."""
    ours = measured.get(OURS, {})
    if "small" not in ours:
        yield "not judged: this project has not been measured"
        return
    known = peers.table()
    for name, cells in measured.items():
        if name in known and not issubclass(known[name], Ours) and "small" in cells:
            least = _THAN_NEW_DIRECTORIES if known[name].way == NEW_DIRECTORY else _THAN_IN_PLACE
            times = cells["small"]["seconds"] / ours["small"]["seconds"]
            yield f"{_met(times >= least)}: small change {times:.2f} × as fast as {name} ({least:.0f} wanted)"
    for case in CASES:
        others = {
            name: cells[case]["seconds"]
            for name, cells in measured.items()
            if case in cells and not (name in known and issubclass(known[name], Ours))
        }
        if case in ours and others:
            best = min(others, key=lambda name: others[name])
            times = ours[case]["seconds"] / others[best]
            yield f"{_met(times <= 1)}: {case} takes {times:.2f} × what the fastest peer takes ({best})"
    if ping and "rollback" in ours:
        rounds = ours["rollback"]["seconds"] / ping["seconds"]
        yield f"{_met(rounds < _PINGS)}: rollback takes {rounds:.1f} rounds of test.ping (below {_PINGS:.0f} wanted)"


def _met(good: bool) -> str:
    return "met" if good else "MISSED"


def _bars(measured: Cells) -> dict[str, dict[str, float]]:
    shown = ("small", "large", "rollback")
    return {
        name: {case: cells[case]["seconds"] for case in shown if case in cells}
        for name, cells in measured.items()
    }
