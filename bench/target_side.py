"""Measure the target's side of a deploy on a tree of 300,000 files, beside the least that any tool must do.

Without Salt: ``bench/job.py`` plays the minion's job, in a new process for each release. Beside it, for the same
two releases and in turns with it, so that the machine's moods hit all of them:

=========  ================================================================================================
bare       ``git diff-tree``, ``git cat-file --batch``, and plain writing into a tree: no record, no fsync,
           no check, visible half-way
checkout   ``git checkout`` in place, Trebuchet's way
full       ``git worktree add`` of the new release into a new directory (only with ``--full``)
=========  ================================================================================================

Usage::

    python3 -m bench.target_side [--directory DIR] [--full] [--keep]

Exits with 1 when a number misses what docs/performance.md promises.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.git.objects import read_changes
from saltdeploy.git.repository import Repository

from bench import CHECKOUT, big_tree, cache

SLOTS = 3
ABOVE_EVERY_TREE = 100_000_000
DEFAULT_STAT_LIMIT = 5_000

#: release, the kind of row it is counted in, stat_limit. The three slots are filled by the first three.
PLAN = [
    ("base", "first install", DEFAULT_STAT_LIMIT),
    ("hotfix/1", "second slot", DEFAULT_STAT_LIMIT),
    ("hotfix/2", "third slot", DEFAULT_STAT_LIMIT),
    *((f"hotfix/{n}", "same 20 files", DEFAULT_STAT_LIMIT) for n in (3, 4, 5, 6)),
    *((f"hotfix/{n}", "same 20 files, stat", ABOVE_EVERY_TREE) for n in (7, 8)),
    *((f"spread/{n}", "other 20 files", DEFAULT_STAT_LIMIT) for n in (1, 2, 3, 4, 5, 6)),
    ("upgrade/1", "upgrade", DEFAULT_STAT_LIMIT),
]

Row = dict[str, Any]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=cache(), help="where all is built")
    parser.add_argument("--full", action="store_true", help="also measure a checkout into a new directory")
    parser.add_argument("--keep", action="store_true", help="leave the trees (8 GB) for a look")
    options = parser.parse_args(words)
    source = Repository(big_tree.build(options.directory))
    work = options.directory.resolve() / "target"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        return report(measure(source, work, options.full))
    finally:
        if not options.keep:
            shutil.rmtree(work)  # takes minutes: there are 1.5 million files


def measure(source: Repository, work: Path, full: bool) -> list[Row]:
    """One row per release of :data:`PLAN`."""
    rows: list[Row] = []
    commits = [""]
    checkout = CheckoutInPlace(source, work / "checkout")
    for name, kind, stat_limit in PLAN:
        tag = source.tag(name)
        previous, in_slot = commits[-1], commits[-SLOTS] if len(commits) > SLOTS else commits[-1]
        row: Row = {"release": name, "kind": kind, "fsync_ms": fsync_ms(work)}
        began = time.perf_counter()
        source.pack(tag, previous, work / "bundle")
        row["pack_s"] = time.perf_counter() - began
        row["payload"] = (work / "bundle").stat().st_size
        if previous:
            cpu = sum(os.times()[:4])
            # what the recycled slot lacks, as ours has to write it
            row["bare_s"], row["bare_files"] = bare(source, in_slot, tag.commit, work / "bare")
            row["bare_cpu_s"] = sum(os.times()[:4]) - cpu
            row["checkout_s"] = checkout.to(tag.commit)
        else:
            bare(source, "", tag.commit, work / "bare")
            checkout.to(tag.commit)
        if full and kind == "upgrade":
            row["full_s"] = full_checkout(source, tag.commit, work / "full")
        before = time.time_ns()
        command = [str(work / "live"), name, tag.commit, str(work / "bundle"), str(stat_limit)]
        row.update(job(command, trace=name == "hotfix/6"))
        row["ours_s"] = row["unpack_s"] + row["prepare_s"] + row["flip_s"]
        row["written"] = big_tree.written_since(work / "live", before)
        rows.append(row)
        big_tree.say(
            f"{name}: {json.dumps({k: v for k, v in row.items() if k not in ('release',)}, default=str)}"
        )
        commits.append(tag.commit)
    return rows


# -- ours ---------------------------------------------------------------------------------------------------


def job(arguments: list[str], *, trace: bool) -> Row:
    """Run one job; with ``trace`` under strace, if there is one, to count what it writes (it is slower then)."""
    traced = trace and shutil.which("strace") is not None
    with tempfile.NamedTemporaryFile("r") as calls:
        tracer = [
            "strace",
            "-f",
            "-qq",
            "-y",
            "-e",
            "trace=rename,renameat,renameat2,openat",
            "-o",
            calls.name,
        ]
        command = [*(tracer if traced else []), sys.executable, "-m", "bench.job", *arguments]
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            memory = Memory(process.pid)
            answer = process.stdout.read()
            memory.stop()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        row: Row = json.loads(answer)
        row["git_private_kib"], row["git_resident_kib"] = memory.private, memory.resident
        if traced:
            row["traced"] = True
            row["made_in_slot"], row["opened_in_slot"] = count_writes(calls.read())
    return row


def count_writes(calls: str) -> tuple[int, int]:
    """Files made in a slot, and files opened for writing that are there, in what strace recorded."""
    opens = re.findall(
        r'openat\([^"]*"[^"]*/slots/\d+/[^"]*", ([^,)]*O_(?:WRONLY|RDWR|CREAT)[^,)]*).*\) = (-?\d+)', calls
    )
    made = [result for flags, result in opens if "O_EXCL" in flags and result != "-1"]
    old = [flags for flags, _ in opens if "O_EXCL" not in flags]
    return len(made), len(old)


class Memory(threading.Thread):
    """Watch the git processes below a process: their greatest private and resident memory in KiB, added up.

    Resident counts the pages of the mapped pack files too, which are page cache that the kernel takes back at will.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.private = self.resident = 0
        self._pid, self._stopped = pid, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(0.01):
            sums = [_sizes(pid) for pid in _git_below(self._pid)]
            self.private = max(self.private, sum(private for private, _ in sums))
            self.resident = max(self.resident, sum(resident for _, resident in sums))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _git_below(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        below = [found for child in children for found in _git_below(child)]
        return [*(c for c in children if Path(f"/proc/{c}/comm").read_text().startswith("git")), *below]
    except (OSError, ValueError):  # it ended while we looked
        return []


def _sizes(pid: int) -> tuple[int, int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    kib = {key: int(value) for key, value in re.findall(r"(RssAnon|VmRSS):\s+(\d+) kB", status)}
    return kib.get("RssAnon", 0), kib.get("VmRSS", 0)


# -- the others ---------------------------------------------------------------------------------------------


def bare(source: Repository, old: str, new: str, tree: Path) -> tuple[float, int]:
    """The least there is to do; seconds, and the number of files."""
    began = time.perf_counter()
    root = os.fsencode(tree)
    files = 0
    with tempfile.TemporaryFile() as changes, tempfile.TemporaryFile() as oids:
        source.diff(old, new, changes)
        for change in read_changes(changes):
            if change.mode == "000000":
                os.unlink(os.path.join(root, change.path))
            else:
                oids.write(change.oid.encode() + b"\n")
                files += 1
        oids.flush()
        with source.blobs(oids) as blobs:
            for change in read_changes(changes):
                if change.mode == "000000":
                    continue
                path = os.path.join(root, change.path)
                _, pieces = blobs.next(change.oid)
                try:
                    file = open(path, "wb")  # noqa: SIM115 - closed by the with below
                except FileNotFoundError:
                    os.makedirs(os.path.dirname(path))
                    file = open(path, "wb")  # noqa: SIM115
                with file:
                    file.writelines(pieces)
    return time.perf_counter() - began, files


class CheckoutInPlace:
    """A work tree that git keeps, in a repository that borrows the objects of ``source``."""

    def __init__(self, source: Repository, tree: Path) -> None:
        self._tree = tree
        git("clone", "--quiet", "--shared", "--no-checkout", "--", str(source.git_dir), str(tree))

    def to(self, commit: str) -> float:
        """Check the commit out; seconds."""
        began = time.perf_counter()
        git("-C", str(self._tree), "checkout", "--quiet", "--force", "--detach", commit)
        return time.perf_counter() - began


def full_checkout(source: Repository, commit: str, tree: Path) -> float:
    """Check the commit out into a new directory; seconds."""
    began = time.perf_counter()
    git(f"--git-dir={source.git_dir}", "worktree", "add", "--quiet", "--detach", str(tree), commit)
    seconds = time.perf_counter() - began
    git(f"--git-dir={source.git_dir}", "worktree", "remove", "--force", str(tree))
    return seconds


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


def fsync_ms(directory: Path) -> float:
    """How long this disk takes now to make 4 KiB durable: the median of 15."""
    times = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(15):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


# -- the report ---------------------------------------------------------------------------------------

COLUMNS = (
    "files",
    "bare s",
    "ours s",
    "unpack",
    "prepare",
    "flip ms",
    "checkout s",
    "bare cpu s",
    "ours cpu s",
    "payload B",
)
_SMALL = ("same 20 files", "other 20 files")
_MIB = 1024


def report(rows: list[Row]) -> int:
    """Print the tables; 1 when a promise is broken."""
    print(f"\nmedians{'':17}" + "".join(f"{name:>12}" for name in COLUMNS))
    for kind in dict.fromkeys(row["kind"] for row in rows):
        _print_line(kind, rows)
    print(
        f"\nallowed for 20 files are 2 x bare + 0.3 s; fsync of 4 KiB takes {_median('fsync_ms', rows):.2f} ms here"
    )
    for row in rows:
        if "full_s" in row:
            print(f"checkout of {row['release']} into a new directory: {row['full_s']:.1f} s")
    _print_memory("first install", rows[:1])
    _print_memory("later releases", rows[3:])
    for row in rows:
        if row.get("traced"):
            seen = f"{row['made_in_slot']} new files in the slot, {row['opened_in_slot']} old ones opened for writing"
            print(f"strace of {row['release']}, in which {row['files']} files differ: {seen}")
    broken = [*_too_slow(rows), *_too_much(rows)]
    print("".join(f"BROKEN: {line}\n" for line in broken) or "every promise holds")
    return 1 if broken else 0


def _print_line(kind: str, rows: list[Row]) -> None:
    group = [row for row in rows if row["kind"] == kind and not row.get("traced")]
    ours, least = _median("ours_s", group), _median("bare_s", group)
    numbers = (
        f"{_median('files', group):,.0f}",
        f"{least:.3f}",
        f"{ours:.3f}",
        f"{_median('unpack_s', group):.3f}",
        f"{_median('prepare_s', group):.3f}",
        f"{1000 * _median('flip_s', group):.1f}",
        f"{_median('checkout_s', group):.2f}",
        f"{_median('bare_cpu_s', group):.3f}",
        f"{_median('ours_cpu_s', group):.3f}",
        f"{_median('payload', group):,.0f}",
    )
    print(f"{kind:24}" + "".join(f"{number:>12}" for number in numbers))


def _print_memory(label: str, group: list[Row]) -> None:
    job, private, resident = (
        max(row[field] for row in group) / _MIB
        for field in ("grown_kib", "git_private_kib", "git_resident_kib")
    )
    print(
        f"memory of {label}: the job's process {job:.0f} MiB over its idle {group[0]['idle_kib'] / _MIB:.0f} MiB; "
        f"its git processes {private:.0f} MiB, {resident:.0f} MiB with the pages of the packs"
    )


def _too_slow(rows: list[Row]) -> Iterator[str]:
    for kind in _SMALL:
        group = [row for row in rows if row["kind"] == kind and not row.get("traced")]
        ours, allowed = _median("ours_s", group), 2 * _median("bare_s", group) + 0.3
        if ours > allowed:
            yield f"{kind}: {ours:.3f} s, allowed are {allowed:.3f} s"
    flip = 1000 * _median("flip_s", [row for row in rows if not row.get("traced")])
    if flip > 5:
        yield f"the flip takes {flip:.1f} ms, allowed are 5 ms"


def _too_much(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        release, files = row["release"], row["files"]
        grown = row["grown_kib"] + row["git_private_kib"]
        if grown > 150 * _MIB:
            yield f"{release}: the job and its git processes take {grown // _MIB} MiB"
        if row["written"] != files:
            yield f"{release}: {row['written']} files were written in the slot; {files} differ"
        if row.get("traced") and (row["made_in_slot"], row["opened_in_slot"]) != (files, 0):
            yield f"{release}: strace counts {row['made_in_slot']} new files, {row['opened_in_slot']} old ones opened"


def _median(field: str, group: list[Row]) -> float:
    values = [row[field] for row in group if field in row]
    return statistics.median(values) if values else float("nan")


if __name__ == "__main__":
    sys.exit(main())
