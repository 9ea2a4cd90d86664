"""A small release's time, call by call, as one page: what the master's command does, and what one host does.

A real master with its warm door and real minions on loopback, 20 files changed, slots filled. Some releases are timed as
they are, by their journals; one is watched by strace, call by call: processes, modules that are loaded, what is made
durable, files that are read and written; and some by py-spy, for what Python does in between. What is watched takes longer:
the shares count, not the sums.

Usage::

    python3 -m bench budget [--minions 4] [--files 20000]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import CHECKOUT, end_in_good_order, trees
from bench.overhead import Row, deploy
from bench.profiles import recording, top
from bench.rig import meters
from bench.tables import table
from bench.trees import Tree
from demo.fleet import Fleet

REPO = "small"  # as bench.overhead reads its journals
_FILLS = ("base", "small/1", "small/2", "small/3")
_TIMED = ("small/4", "small/5", "small/6", "small/7", "small/8")
_TRACED, _SPIED = "small/9", ("small/10", "small/11", "small/12")
_DURABLE = ("fsync", "fdatasync", "syncfs")
_TRACE = ("process", "openat", "rename", "renameat", "renameat2", "connect", *_DURABLE)
_LINE = re.compile(
    r"(\d+) +([\d.]+) (?:<\.\.\. )?(\w+)(?: resumed>|\()(.*?)(?: = (-?\w+).*?(?:<([\d.]+)>)?)?$"
)
_MODULE = re.compile(r'"[^"]*\.(?:pyc|so)"')


def main(options: argparse.Namespace, directory: Path) -> int:
    """Print the page; it is kept beside the other results."""
    end_in_good_order()
    tree = trees.build(directory, options.files)
    out = directory / "results" / "budget"
    out.mkdir(parents=True, exist_ok=True)
    usual = tempfile.gettempdir()
    work = Path(tempfile.mkdtemp(prefix="deploy-budget-", dir=usual if len(usual) < 30 else "/tmp"))
    try:
        names = [f"web{number}" for number in range(1, options.minions + 1)]
        master = {"engines": [{"deploy": {}}]}
        values = {"hosts": str(work / "hosts")}
        with Fleet(work, CHECKOUT, names, pillar=_pillar(work), values=values, master=master) as fleet:
            fleet.await_door()
            page = _page(fleet, work, tree, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(page)
    (out / "page.md").write_text(page)
    return 0


def _pillar(work: Path) -> Path:
    place = work / "pillar"
    place.mkdir()
    (place / "top.sls").write_text("base: {'*': [repos]}\n")
    location = "{{ opts.deploy_demo.hosts }}/{{ opts.id }}/srv/app"
    repo = {"location": location, "source": str(work / "origin"), "targets": "*", "targets_type": "glob"}
    (place / "repos.sls").write_text(json.dumps({"repo_config": {REPO: repo}}, indent=1))
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", work / "origin"], check=True)
    return place


def _page(fleet: Fleet, work: Path, tree: Tree, out: Path) -> str:
    watched = {"the master's command": _door(fleet), "a host": fleet.minion_pids[fleet.minions[0]]}
    for tag in _FILLS:
        _release(fleet, work, tree, tag)
    rows = [_release(fleet, work, tree, tag) for tag in _TIMED]
    parts = [_head(tree, fleet, rows)]
    calls = out / "calls"
    with _tracing(watched.values(), calls):
        _release(fleet, work, tree, _TRACED)
    seen = Calls.read(calls.read_text(errors="replace").splitlines())
    parts += [f"## {who}, call by call\n\n{seen.told(pid)}" for who, pid in watched.items()]
    profiles = {who: out / f"{who.replace(' ', '-')}.folded" for who in watched}
    with contextlib.ExitStack() as spies:
        for who, pid in watched.items():
            spies.enter_context(recording(pid, profiles[who]))
        for tag in _SPIED:
            _release(fleet, work, tree, tag)
    parts += [f"## {who}, on a processor\n\n{top(file.read_text())}" for who, file in profiles.items()]
    return "\n".join(parts)


def _door(fleet: Fleet) -> int:
    """The process that listens at the warm door, and forks for each command."""
    everyone = meters.everyone()
    for process in meters.below([fleet.master_pid], everyone):
        with contextlib.suppress(OSError):
            if b"import door" in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                return process.pid
    raise SystemExit("no process listens at the warm door")


def _release(fleet: Fleet, work: Path, tree: Tree, tag: str) -> Row:
    """Take a tag up and deploy it; what it took, and where, as its journal says."""
    where = ["git", f"--git-dir={work / 'origin'}"]
    ref = f"refs/tags/{tag}:refs/tags/{tag}"
    subprocess.run([*where, "fetch", "--quiet", "--no-tags", str(tree.repository), ref], check=True)
    return deploy(fleet, tag, lambda tag: _sync(fleet, tag))


def _sync(fleet: Fleet, tag: str) -> dict[str, Any]:
    done = fleet.saltdeploy("sync", f"repo={REPO}", f"tag={tag}", "--out=json")
    if done.returncode:
        raise SystemExit(f"deploy of {tag} failed:\n{done.stdout}\n{done.stderr}")
    view: dict[str, Any] = json.loads(done.stdout)
    return view.get("return", view)


def _head(tree: Tree, fleet: Fleet, rows: list[Row]) -> str:
    told = {
        "from prompt to prompt": "sync",
        "of it: until hosts are asked (decide, pack)": "prepare",
        "of it: fetch": "fetch",
        "of it: checkout": "checkout",
        "of it: settle": "settle",
        "what the slowest host says that its fetch took": "fetch work",
        "what the slowest host says that its checkout took": "checkout work",
    }
    middle = [(what, f"{statistics.median(row[name] for row in rows):.3f}") for what, name in told.items()]
    return (
        f"{tree.files:,} files, {len(fleet.minions)} hosts, 20 files changed, by the warm door; medians of {len(rows)}.\n\n"
        + table(("a small release", "seconds"), middle)
    )


@contextlib.contextmanager
def _tracing(pids: Iterable[int], into: Path) -> Iterator[None]:
    """Have strace write down what these processes and all that they start do."""
    attached = [f"--attach={pid}" for pid in pids]
    how = ["-f", "-ttt", "-T", "-s", "300", "-e", f"trace={','.join(_TRACE)}", "-e", "signal=none"]
    with subprocess.Popen(["strace", *how, "-o", str(into), *attached], stderr=subprocess.DEVNULL) as tracer:
        time.sleep(2)  # until it has them all
        try:
            yield
        finally:
            time.sleep(1)
            tracer.send_signal(signal.SIGINT)


# -- what strace has written ------------------------------------------------------------------------------------


@dataclass
class Traced:
    """A process: when it began and ended, in seconds, what it ran, and its calls by what they are for."""

    began: float
    ended: float = 0.0
    words: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    took: Counter[str] = field(default_factory=Counter)

    @property
    def is_worth_telling(self) -> bool:
        """Whether it did something that is shown."""
        return bool(self.counts) or self.words not in ("", "a thread")


@dataclass
class Calls:
    """Processes by their numbers, and who started whom."""

    processes: dict[int, Traced] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, lines: Iterable[str]) -> Calls:
        """Out of the lines of ``strace -f -ttt -T``."""
        calls = cls()
        for line in lines:
            if found := _LINE.match(line):
                pid, at, call, arguments, result, seconds = found.groups()
                calls._add(int(pid), float(at), call, arguments, result or "", float(seconds or 0))
        return calls

    def _add(self, pid: int, at: float, call: str, arguments: str, result: str, seconds: float) -> None:
        process = self.processes.setdefault(pid, Traced(at))
        process.ended = at + seconds
        kind = ""
        if call in ("clone", "clone3", "fork", "vfork"):
            if result.isdigit() and int(result):
                self.parents.setdefault(int(result), pid)
                started = self.processes.setdefault(int(result), Traced(at))
                started.words = started.words or ("a thread" if "CLONE_THREAD" in arguments else "")
                kind = "starts a thread" if "CLONE_THREAD" in arguments else "starts a process"
        elif call == "execve" and arguments.startswith('"') and not result.startswith("-"):
            process.words = _words(arguments)
        elif call == "openat" and _MODULE.search(arguments) and not result.startswith("-"):
            kind = "loads a module"
        elif call in _DURABLE:
            kind = "makes durable"
        elif call.startswith("rename"):
            kind = "renames"
        elif call == "connect":
            kind = "connects"
        if kind:
            process.counts[kind] += 1
            process.took[kind] += seconds

    def told(self, root: int) -> str:
        """The processes below one, in their order, and sums of their calls."""
        below = [pid for pid in self.processes if self._is_below(pid, root)]
        below = [pid for pid in below if self.processes[pid].is_worth_telling]
        began = min((self.processes[pid].began for pid in below), default=0.0)
        rows, counts, took = [], Counter[str](), Counter[str]()
        for pid in sorted(below, key=lambda pid: self.processes[pid].began):
            process = self.processes[pid]
            counts += process.counts
            took += process.took
            lasted = 1000 * (process.ended - process.began)
            does = ", ".join(f"{kind} {count}" for kind, count in process.counts.items())
            rows.append(
                (process.words or "a fork", f"{1000 * (process.began - began):.0f}", f"{lasted:.0f}", does)
            )
        sums = [(kind, f"{count}", f"{1000 * took[kind]:.0f}") for kind, count in counts.most_common()]
        return (
            table(("process", "begins, ms", "lasts, ms", "calls"), rows)
            + "\n"
            + table(("all of them", "how often", "ms in the kernel"), sums)
        )

    def _is_below(self, pid: int, root: int) -> bool:
        while pid != root:
            if pid not in self.parents:
                return False
            pid = self.parents[pid]
        return True


def _words(arguments: str) -> str:
    """The command of an ``execve``, without paths and options that say how git is to run."""
    inside = arguments[arguments.find("[") + 1 : arguments.rfind("]")]
    words = re.findall(r'"([^"]*)"', inside)
    plain = [word.rpartition("/")[2] for word in words if not word.startswith("-") and "=" not in word]
    return " ".join(plain[:4])[:60]
