"""Measure this project and its peers side by side: the same rig, the same tree, the same releases.

Every peer is given a new rig, takes the same row of releases, and is looked at after each: the tree of every target
must be right, or the run ends. The cases, in their order:

==========  =====================================================================================================
first       a release to targets that have none
second      20 files changed, right after the first install
third       20 files changed; now tools that keep a few trees have filled them
small       20 files changed, three times; the median
none        the same release again
large       10,000 files changed (a third of a small tree)
rollback    back to the release before
==========  =====================================================================================================

What an operator's tools do on the hub is part of a deploy (packing, committing to a repository of their own); that git
takes a new tag into the hub's repository, or a staging tree gets the release, is not.

Usage::

    python3 -m bench compare [--minions N] [--files N] [--peers a,b] [--sites 2] [--rate 100mbit] [--loopback]
                             [--quick] [--again]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import big_tree, end_in_good_order, peers, report, trees
from bench.peers import Peer, Place
from bench.peers.ours import Ours
from bench.results import Cell, Results
from bench.rig import Rig, Wishes
from bench.rig.host import Host
from bench.rig.network import possible
from bench.trees import Tree

Plan = dict[str, tuple[str, ...]]  # case -> the releases by which it is measured, in this order
PLAN: Plan = {
    "first": ("base",),
    "second": ("small/1",),
    "third": ("small/2",),
    "small": ("small/3", "small/4", "small/5"),
    "none": ("small/5",),
    "large": ("large/1",),
    "rollback": ("small/5",),
}
#: What ``--quick`` is content with; ours has not filled its slots by then. The rollback comes before the same release
#: once more, which is one more directory for some: their way back would lead to that.
QUICK: Plan = {"first": ("base",), "small": ("small/1",), "rollback": ("base",), "none": ("base",)}
QUICK_PEERS = ("deploy", "rsync", "git-smart")
LOOKED_AT = 200  # files of each target that are read after each case


@dataclass
class Run:
    """One peer on its rig.

    Attributes:
        released: tags that went to the targets, oldest first.
    """

    peer: Peer
    tree: Tree
    place: Place
    released: list[str] = field(default_factory=lambda: [""])

    def case(self, name: str, tag: str) -> Cell:
        """Bring the targets to ``tag``; what it took."""
        self._publish(tag)
        act = {"first": self.peer.install, "rollback": self.peer.rollback}.get(name, self.peer.upgrade)
        before = time.time_ns()
        with self.place.rig.measure() as measured:
            act(tag)
        cell = measured.as_dict()
        one = self.place.rig.targets[0]
        cell["files_written"] = big_tree.changed_since(one.disk, before)
        self._look(tag)
        self.released.append(tag)
        big_tree.say(f"{self.peer.name}: {name}: {cell['seconds']:.2f} s")
        return cell

    def keep(self, results: Results, name: str, cell: Cell) -> None:
        """Write a cell down."""
        results.put({**cell, "labels": self.place.rig.labels}, self.peer.name, name)

    def _publish(self, tag: str) -> None:
        origin, source = self.place.origin, self.tree.repository
        _git(origin, "fetch", "--quiet", "--no-tags", str(source), f"refs/tags/{tag}:refs/tags/{tag}")
        _git(origin, "update-ref", "refs/heads/main", f"refs/tags/{tag}")
        _git(origin, "update-server-info")
        index = {"GIT_INDEX_FILE": str(self.place.work / "index")}
        _git(origin, f"--work-tree={self.place.staging}", "read-tree", "--reset", "-u", tag, **index)
        self.peer.publish(tag)

    def _look(self, tag: str) -> None:
        """Every target holds what changed, and the first one all files in their sizes."""
        changed = self.tree.changes(self.released[-1], tag)
        some = random.Random(tag).sample(changed, min(LOOKED_AT, len(changed)))
        contents = {path: self.tree.content(tag, path) for path in some}
        for host in self.place.rig.targets:
            root = os.fsencode(_seen_from_outside(host, self.peer.live(host)))
            for path, content in contents.items():
                if Path(os.fsdecode(os.path.join(root, path))).read_bytes() != content:
                    raise SystemExit(f"{self.peer.name}: {path!r} on {host.name} is not as {tag} has it")
        wanted = self.tree.sizes(tag)
        host = self.place.rig.targets[0]
        found = _sizes(_seen_from_outside(host, self.peer.live(host)))
        for path in self.peer.adds:
            found.pop(path, None)
        if found != wanted:
            wrong = sorted(path for path in {**found, **wanted} if found.get(path) != wanted.get(path))
            raise SystemExit(f"{self.peer.name}: {len(wrong)} files of {host.name} are wrong: {wrong[:5]}")


def _seen_from_outside(host: Host, live: Path) -> Path:
    """Where the live tree of a target lies for us, whose links lead to paths as the target calls them."""
    path = host.outside(live)
    for _ in range(5):
        if not path.is_symlink():
            break
        target = Path(os.readlink(path))
        path = host.outside(target) if target.is_absolute() else path.parent / target
    return path


def _sizes(tree: Path) -> dict[bytes, int]:
    """The size of each file of a tree, git's own left out."""
    root = os.fsencode(tree)
    found, todo = {}, [root]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.name == b".git":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    found[os.path.relpath(entry.path, root)] = entry.stat(follow_symlinks=False).st_size
    return found


def _git(repository: Path, *arguments: str, **environment: str) -> None:
    command = ["git", f"--git-dir={repository}", *arguments]
    subprocess.run(command, check=True, env={**os.environ, **environment})


# -- one peer -------------------------------------------------------------------------------------------------


def measure(kind: type[Peer], tree: Tree, wishes: Wishes, results: Results, plan: Plan) -> None:
    """The cases of a plan by one peer; each cell is written as soon as it is known."""
    with Rig(wishes) as rig:
        place = place_on(rig)
        run = Run(kind(place), tree, place)
        with run.peer.ready():
            for case, tags in plan.items():
                run.keep(results, case, median([run.case(case, tag) for tag in tags]))
            if isinstance(run.peer, Ours):
                run.keep(results, "ping", median([ping(rig, run.peer) for _ in range(3)]))


def ping(rig: Rig, ours: Ours) -> Cell:
    """What a round of pings costs, from prompt to prompt."""
    with rig.measure() as measured:
        ours.ping()
    return measured.as_dict()


def place_on(rig: Rig, corner: str = "") -> Place:
    """Where a peer works on this rig.

    Args:
        corner: a directory of its own on each target, where it shares the rig.
    """
    for host in rig.targets:
        (host.disk / corner).mkdir(exist_ok=True)
    origin, staging, work = (
        rig.hub.disk / "git" / "origin.git",
        rig.hub.disk / "staging",
        rig.hub.disk / "work",
    )
    if not origin.exists():
        origin.parent.mkdir()
        staging.mkdir()
        work.mkdir()
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    return Place(rig, origin, staging, work, corner)


def median(cells: list[Cell]) -> Cell:
    """The cell in the middle by its seconds, with the seconds of all."""
    ordered = sorted(cells, key=lambda cell: cell["seconds"])
    return {**ordered[len(ordered) // 2], "all_seconds": [cell["seconds"] for cell in cells]}


# -- the command ----------------------------------------------------------------------------------------------


def main(options: argparse.Namespace, directory: Path) -> int:
    """Measure what is missing, and report."""
    end_in_good_order()
    tree = trees.build(directory, options.files)
    wishes = Wishes(options.minions, options.sites, options.rate, options.loopback)
    results = Results(directory / "results" / _profile(options))
    plan, known = QUICK if options.quick else PLAN, peers.table()
    usual = QUICK_PEERS if options.quick else tuple(known)
    wanted = options.peers.split(",") if options.peers else usual
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"no peer is called {', '.join(unknown)}; there are: {', '.join(known)}")
    for name in wanted:
        kind = known[name]
        if options.again or not all(results.has(name, case) for case in plan):
            if why := kind.missing() or _unfit(kind, options):
                results.put({"missing": why}, name, "missing")
            else:
                measure(kind, tree, wishes, results, plan)
    return report.compare(results, tree, wishes)


def _unfit(kind: type[Peer], options: argparse.Namespace) -> str:
    together = options.loopback or possible()
    return "it needs hosts with a /srv of their own" if kind.apart and together else ""


def _profile(options: argparse.Namespace) -> str:
    more = [f"{options.sites}-sites"] if options.sites > 1 else []
    more += [options.rate] if options.rate else []
    more += [word for word in ("loopback", "quick") if getattr(options, word)]
    return "-".join([f"compare-{options.files}-files-{options.minions}-targets", *more])
