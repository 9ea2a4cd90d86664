"""Measure a tier of masters: an upper one, and two lower ones that each deploy to three minions of their own, against one
master with all six.

On the host of each lower master a minion of the upper one lives. The upper master asks both of these to run the runner
``deploy`` of their host's master: one command, and the answers come up as those of minions.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import end_in_good_order, tables, trees
from bench.results import Cell, Results, machine
from bench.rig import Rig, Wishes
from bench.rig.fleet import fleet
from demo.fleet import Fleet

REPO = "app"
_LOWER = 2
_EACH = 3  # minions of a lower master
_FILES = 2_000
_WARM = ("base", "small/1", "small/2")  # fill the slots
_MEASURED = ("small/3", "small/4", "small/5")

Deploy = Callable[[str], None]


def main(options: argparse.Namespace, directory: Path) -> int:
    """Measure what is missing, and print the table."""
    end_in_good_order()
    results = Results(directory / "results" / "tiers")
    tree = trees.build(directory, _FILES)
    for name, kind in (("one master", one), ("two below a third", tier)):
        if options.again or not results.has(name):
            with Rig(Wishes(_LOWER + _LOWER * _EACH)) as rig, kind(rig, tree) as deploy:
                results.put({**_measure(rig, deploy), "labels": rig.labels}, name)
    report(results)
    return 0


@contextlib.contextmanager
def one(rig: Rig, tree: trees.Tree) -> Iterator[Deploy]:
    """One master, on the hub, for all minions."""
    with fleet(rig, _repos(tree), minions=rig.targets[_LOWER:]) as salt:
        yield lambda tag: _check(salt.salt_run("deploy.sync", f"repo={REPO}", f"tag={tag}", "--out=json"))


@contextlib.contextmanager
def tier(rig: Rig, tree: trees.Tree) -> Iterator[Deploy]:
    """An upper master on the hub, two lower ones on the first targets."""
    with masters(rig, tree) as upper:
        yield lambda tag: _check(ask(upper, "deploy.sync", repo=REPO, tag=tag))


@contextlib.contextmanager
def masters(rig: Rig, tree: trees.Tree) -> Iterator[Fleet]:
    """The upper master of a tier, whose minions are on the hosts of the lower ones."""
    lower, others = rig.targets[:_LOWER], rig.targets[_LOWER:]
    with contextlib.ExitStack() as stack:
        upper = stack.enter_context(fleet(rig, {}, minions=lower))
        for number, host in enumerate(lower):
            own = others[number::_LOWER]
            salt = stack.enter_context(fleet(rig, _repos(tree), hub=host, minions=own))
            # as in /etc/salt: the runner of a minion's host is that of the master configured beside it
            (upper.directory / host.name / "master").symlink_to(salt.config / "master")
        yield upper


def ask(upper: Fleet, function: str, **arguments: Any) -> Any:
    """Let every lower master run a function of the runner; the finished command."""
    words = ["saltutil.runner", function, f"kwarg={json.dumps(arguments)}"]
    return upper.salt("*", *words, "--out=json")  # --static would exit with 0


def _repos(tree: trees.Tree) -> dict[str, Any]:
    keys = {"source": str(tree.repository), "targets": "*", "targets_type": "glob"}
    return {REPO: {"location": "{{ srv }}/app", **keys}}


def _check(done: Any) -> None:
    if done.returncode:
        raise SystemExit(f"a deploy failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _measure(rig: Rig, deploy: Deploy) -> Cell:
    """Medians of the measured releases: seconds, and processor seconds of the masters' hosts."""
    cells = []
    for tag in (*_WARM, *_MEASURED):
        with rig.measure() as measured:
            deploy(tag)
        hosts = measured.as_dict()["hosts"]
        lower = sum(hosts[host.name]["cpu"] for host in rig.targets[:_LOWER])
        cells.append({"seconds": measured.seconds, "hub": hosts["hub"]["cpu"], "lower": lower})
    warm = cells[len(_WARM) :]
    return {key: statistics.median(cell[key] for cell in warm) for key in ("seconds", "hub", "lower")}


def report(results: Results) -> None:
    """Print the table and write it beside the cells."""
    rows = [
        (
            name.replace("--", " "),
            tables.seconds(cell["seconds"]),
            tables.seconds(cell["hub"]),
            tables.seconds(cell["lower"]),
        )
        for name, cell in results.all()
    ]
    told = tables.table((f"{_LOWER * _EACH} minions", "seconds", "hub CPU s", "lower masters' CPU s"), rows)
    print(f"A release of 20 files in a tree of {_FILES:,} ({machine()}).\n\n{told}")
    (results.directory / "table.md").write_text(told)
