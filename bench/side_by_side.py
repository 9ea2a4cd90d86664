"""What must be reached, measured: this project by its warm door, and its peers at their best, in turns on one rig.

A run is a new rig, on which all contenders take the same row of releases, each release one contender after the other, so
that what else the machine does hits all of them; each run begins with another one. Three runs by default, each of which
is kept when it is complete: a benchmark that was stopped goes on with the next one.

========  ========================================================================================================
goals     20,000 files, four targets: the rows of every day; the default of ``make bench``
big       300,000 files, one target and ten: first installs and 10,000 files (hours, 8 GB for each target)
========  ========================================================================================================

Usage::

    python3 -m bench [goals] [--minions 4] [--files 20000] [--runs 3] [--loopback] [--again]
    python3 -m bench big [--files 300000]
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import CHECKOUT, big_tree, end_in_good_order, goals, peers, trees
from bench.compare import Plan, Run, median, place_on
from bench.goals import COLD, GIT, PEERS, WARM, Row, Took
from bench.peers.ours import Warm
from bench.results import Cell, Results, machine
from bench.rig import Rig, Wishes
from bench.trees import Tree

EVERY_DAY: Plan = {
    "first": ("base",),
    "second": ("small/1",),
    "third": ("small/2",),
    "small": ("small/3", "small/4", "small/5"),
    "none": ("small/5", "small/5", "small/5"),
    "large": ("large/1",),
    "rollback": ("small/5",),
}
#: By ``salt-run``, ours alone; the warm door fills the slots.
COMMANDS: Plan = {
    "first": ("base",),
    "second": ("small/1",),
    "third": ("small/2",),
    COLD: ("small/3", "small/4", "small/5"),
}
BIG: Plan = {"first": ("base",), "second": ("small/1",), "third": ("small/2",), "large": ("large/1",)}
ROUNDS = 9


@dataclass(frozen=True)
class Bout:
    """What one benchmark measures on a rig.

    Attributes:
        name: of its runs, where they are kept.
        targets: how many.
        contenders: by name.
        rows: what is judged.
    """

    name: str
    targets: int
    contenders: tuple[str, ...]
    plan: Mapping[str, tuple[str, ...]]
    rows: tuple[Row, ...]


def main(options: argparse.Namespace, directory: Path) -> int:
    """The rows of every day; 1 when an aim is missed."""
    each_day = Bout("door", options.minions, (WARM, *PEERS), EVERY_DAY, goals.DOOR_ROWS)
    commands = Bout("cold", options.minions, (WARM,), COMMANDS, goals.COLD_ROWS)
    return _compete([each_day, commands], options, directory)


def big(options: argparse.Namespace, directory: Path) -> int:
    """The rows of the big tree; 1 when an aim is missed."""
    one = Bout("one", 1, (WARM, GIT), {"first": BIG["first"]}, goals.ONE_TARGET_ROWS)
    ten = Bout("ten", options.minions, (WARM, GIT), BIG, goals.TEN_TARGETS_ROWS)
    return _compete([one, ten], options, directory)


def _compete(bouts: Sequence[Bout], options: argparse.Namespace, directory: Path) -> int:
    end_in_good_order()
    tree = trees.build(directory, options.files)
    verdicts = []
    for bout in bouts:
        wishes = Wishes(bout.targets, options.sites, options.rate, options.loopback)
        results = Results(directory / "results" / _named(options, bout.targets))
        for number in range(1, options.runs + 1):
            if options.again or not results.has(bout.name, str(number)):
                results.put({"took": measure(bout, tree, wishes, number)}, bout.name, str(number))
        runs: list[Took] = [results.get(bout.name, str(n))["took"] for n in range(1, options.runs + 1)]  # type: ignore[index]
        verdicts += goals.judge(bout.rows, runs)
    text = f"{_head(tree, bouts, options)}\n{goals.told(verdicts)}\n{goals.elsewhere()}"
    print(text)
    (results.directory / "goals.md").write_text(text)
    return 1 if any(verdict.is_missed for verdict in verdicts) else 0


def _named(options: argparse.Namespace, targets: int) -> str:
    more = [word for word in (f"{options.sites}-sites" * (options.sites > 1), options.rate) if word]
    more += ["loopback"] if options.loopback else []
    return "-".join([f"goals-{options.files}-files-{targets}-targets", *more])


def _head(tree: Tree, bouts: Sequence[Bout], options: argparse.Namespace) -> str:
    targets = " and ".join(dict.fromkeys(str(bout.targets) for bout in bouts))
    large = len(tree.changes("small/5", "large/1"))
    return (
        f"{tree.files:,} files, targets: {targets}, on one machine ({machine()}); a third of the files are {large:,}; "
        f"{options.runs} runs. Values are those of the run in the middle.\n"
    )


def measure(bout: Bout, tree: Tree, wishes: Wishes, number: int) -> dict[str, dict[str, Cell]]:
    """One run."""
    known = peers.table()
    names = list(bout.contenders)
    names = names[number % len(names) :] + names[: number % len(names)]
    with Rig(wishes) as rig, contextlib.ExitStack() as ready:
        runs = {}
        for name in names:
            if why := known[name].missing():
                raise SystemExit(f"{name} cannot be measured: {why}")
            place = place_on(rig, known[name].name.replace(":", "-"))
            runs[name] = Run(known[name](place), tree, place)
            ready.enter_context(runs[name].peer.ready())
        took: dict[str, dict[str, Cell]] = {name: {} for name in runs}
        for case, tags in bout.plan.items():
            if case == COLD:
                took[COLD] = _cold(runs[WARM], rig, tags)
                continue
            cells: dict[str, list[Cell]] = {name: [] for name in runs}
            for tag in tags:
                for name, run in runs.items():
                    cells[name].append(run.case(case, tag))
            for name, found in cells.items():
                took[name][case] = median(found)
        return took


def _cold(run: Run, rig: Rig, tags: Sequence[str]) -> dict[str, Cell]:
    """By ``salt-run``: nothing to do, and a release; in turns with it what Salt costs alone."""
    ours = run.peer
    assert isinstance(ours, Warm)
    found: dict[str, list[Cell]] = {"none": [], "small": [], "test.arg": []}
    with ours.cold():
        for tag in tags:
            found["none"].append(run.case("none", run.released[-1]))
            found["small"].append(run.case("small", tag))
            found["test.arg"].append(_timed(rig, functools.partial(ours.fleet.salt_run, "test.arg")))
    cells = {case: median(each) for case, each in found.items()}
    said = rig.hub.run(sys.executable, "-m", "bench.rounds", ours.fleet.config, ROUNDS, cwd=CHECKOUT).stdout
    rounds = json.loads(said)
    cells["round"] = median([{"seconds": each} for each in rounds])
    big_tree.say(
        f"a round: {cells['round']['seconds']:.3f} s; test.arg: {cells['test.arg']['seconds']:.2f} s"
    )
    return cells


def _timed(rig: Rig, act: Callable[[], object]) -> Cell:
    with rig.measure() as measured:
        act()
    return measured.as_dict()
