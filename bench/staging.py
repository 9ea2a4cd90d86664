"""What it costs to stage a plain directory again of which few files have changed, beside ``git add -A`` and rsync.

All three look at the same directory, in turns: ours makes a release of it in the master's mirror (``deploy.stage``, all
but Salt), git adds and commits it to a repository of its own, as people do in a staging repository, and rsync brings it to
a copy on the same disk. Each round changes other files. ``status`` is ``git status`` with the untracked cache, which git can
use for that and not for ``git add``. Where strace is installed, it counts the files that each looks at; the times of that
round are left out.

The tree is made here: directories of 25 files, of sizes that are spread as those of sources are.

Usage::

    python3 -m bench.staging [--files 275000] [--directory DIR]

Exits with 1 when ours takes more than twice as long as ``git add -A`` with its commit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from saltdeploy import config
from saltdeploy.master.staging.stage import StageRequest, stage

from bench import CHECKOUT, cache

sys.path.insert(0, str(CHECKOUT))

from tests.support.stores import Directory  # noqa: E402

CHANGED, ROUNDS, EACH = 20, 5, 25
ALLOWED = 2.0
_LIKELY, _SPREAD, _MOST = 6.5, 1.2, 60_000  # of a logarithm of bytes; bytes
_STATS = "trace=newfstatat,statx,lstat,stat"


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=275_000, help="in the directory")
    parser.add_argument("--directory", type=Path, default=cache(), help="on the disk that is measured")
    parser.add_argument("--once", nargs=2, metavar=("TREE", "ROOT"), help="stage one directory, for strace")
    options = parser.parse_args(words)
    if options.once:
        print(json.dumps(_stage(Path(options.once[0]), Path(options.once[1]))))
        return 0
    options.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="staging-", dir=options.directory) as place:
        return _bench(Path(place), options.files)


def _bench(place: Path, files: int) -> int:
    tree = place / "tree"
    names = make_tree(tree, files)
    acts = {
        "deploy.stage": [sys.executable, "-m", "bench.staging", "--once", str(tree), str(place / "root")],
        "git add -A": _git(place, tree, "add", "-A"),
        "git status": _git(place, tree, "-c", "core.untrackedCache=true", "status", "--porcelain"),
        "rsync": ["rsync", "-a", "--delete", f"{tree}/", f"{place}/copy/"],
    }
    subprocess.run(["git", "init", "-q", "--bare", str(place / "git")], check=True)
    first = {name: _seconds(command, place, tree) for name, command in acts.items()}
    chance = random.Random(1)
    took: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(ROUNDS):
        change(tree, chance.sample(names, CHANGED))
        order = list(acts)
        chance.shuffle(order)
        order.sort(key=lambda name: name == "git add -A")  # what was added is nothing new for `git status`
        for name in order:
            took[name].append(_seconds(acts[name], place, tree))
    idle = {name: _seconds(command, place, tree) for name, command in acts.items()}
    change(tree, chance.sample(names, CHANGED))
    looks = {name: _stats(acts[name], place) for name in order}
    print(f"\n{len(names):,} files, {CHANGED} changed; seconds, medians of {ROUNDS}\n")
    print("| | first | 20 changed | nothing changed | looks at files |\n|---|---:|---:|---:|---:|")
    middle = {name: statistics.median(each) for name, each in took.items()}
    for name in acts:
        looked = f"{looks[name]:,}" if looks[name] >= 0 else "no strace"
        print(f"| {name} | {first[name]:.1f} | {middle[name]:.2f} | {idle[name]:.2f} | {looked} |")
    ratio = middle["deploy.stage"] / middle["git add -A"]
    print(f"\ndeploy.stage takes {ratio:.2f} times as long as git add -A and its commit")
    if ratio > ALLOWED:
        print(f"BROKEN: {ALLOWED} times are allowed")
    return ratio > ALLOWED


def make_tree(tree: Path, files: int) -> list[str]:
    """Make the directory; the paths of its files."""
    chance = random.Random(files)
    noise = chance.randbytes(2 * _MOST)
    names = []
    for number in range(files):
        above = number // EACH
        directory = f"{above // 400:03d}/{above // 20 % 20:02d}/{above % 20:02d}"
        if number % EACH == 0:
            (tree / directory).mkdir(parents=True)
        size = min(_MOST, int(chance.lognormvariate(_LIKELY, _SPREAD)))
        begin = chance.randrange(_MOST)
        names.append(f"{directory}/{number:06d}.php")
        (tree / names[-1]).write_bytes(b"%d\n%s" % (number, noise[begin : begin + size]))
    return names


def change(tree: Path, names: list[str]) -> None:
    """Add a line to files, as people do."""
    for name in names:
        with (tree / name).open("ab") as file:
            file.write(b"changed %d\n" % time.monotonic_ns())


def _stage(tree: Path, root: Path) -> dict[str, float]:
    """Make a release; its seconds, without those in which Python starts."""
    root.mkdir(exist_ok=True)
    keys = {"source": str(tree), "stage": {}, "location": "/srv/site"}
    repo = config.load({"repo_config": {"site": keys}}, "site")
    began = time.perf_counter()
    made = stage(repo, StageRequest(user="bench"), root, Directory(root / "store"), time.time)
    return {"seconds": time.perf_counter() - began, "new": made["new"]}


def _git(place: Path, tree: Path, *words: str) -> list[str]:
    return ["git", f"--git-dir={place / 'git'}", f"--work-tree={tree}", "-c", "core.bare=false", *words]


def _seconds(command: list[str], place: Path, tree: Path) -> float:
    """How long it takes; with ``git add`` goes the commit."""
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=CHECKOUT)
    if "add" in command:
        who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"]
        subprocess.run(_git(place, tree, *who, "commit", "-q", "--allow-empty", "-m", "x"), check=True)
    took = time.perf_counter() - began
    return float(json.loads(done.stdout)["seconds"]) if "--once" in command else took


def _stats(command: list[str], place: Path) -> int:
    """How often the kernel is asked for a file's state; -1 without strace."""
    if not shutil.which("strace"):
        return -1
    told = place / "strace"
    counted = ["strace", "-f", "-qq", "-c", "-e", _STATS, "-o", str(told), *command]
    subprocess.run(counted, check=True, stdout=subprocess.DEVNULL, cwd=CHECKOUT, env={**os.environ})
    rows = (line.split() for line in told.read_text().splitlines())
    return sum(int(row[3]) for row in rows if len(row) >= 5 and row[0][0].isdigit() and row[-1] != "total")


if __name__ == "__main__":
    raise SystemExit(main())
