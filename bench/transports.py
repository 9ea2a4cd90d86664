"""Measure every transport on the same releases of a real tree of some 15,000 files, in one run.

Without Salt: the stages of a target run in a process of their own, and payloads travel by copying a file. rsync's daemon
serves the master's exports on the loopback interface; ``git`` fetches from a path. Beside them stand the two ways that
the transports are measured against:

==========  ================================================================================================
rsync -a    ``rsync -a --delete`` from a staging tree that git updates into a tree that holds the older release; no
            check, no switch
rsync tar   rsync of the uncompressed archive onto the older one; nothing is unpacked
==========  ================================================================================================

Usage::

    python3 -m bench.transports [--directory DIR]
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import itertools
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from saltdeploy import config, transports
from saltdeploy.contents import Stored
from saltdeploy.orders import CHECKOUT, FETCH, Order, Payload
from saltdeploy.payloads import Payloads
from saltdeploy.release import Release
from saltdeploy.repository import Progress, Repository
from saltdeploy.target import stages
from saltdeploy.transports.tar import write_tar

from bench import big_tree, cache

PACKAGES = ("antd", "core-js", "date-fns", "lodash", "ol", "rxjs")
#: The two slots are filled by the first two; the others are written into a slot that holds an older release.
RELEASES = ("base", "hotfix/1", "hotfix/2", "upgrade")
TOLD = {"base": "first install", "hotfix/2": "20 files", "upgrade": "upgrade"}
NAMES = ("bundle", "git", "tar", "delta", "rsync")
_EDITED = 20
_RECEIVED = re.compile(r"Total bytes received: ([0-9,]+)")

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=cache(), help="where all is built")
    options = parser.parse_args()
    source = Repository(build(options.directory))
    work = options.directory.resolve() / "transports"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        with daemon(work / "exports") as url:
            rows = [row for name in NAMES for row in travel(name, source, work, url)]
            rows += baselines(source, work, url)
        report(rows)
    finally:
        shutil.rmtree(work)
    return 0


def build(directory: Path) -> Path:
    """Make the repository, unless it is there already."""
    repository = directory / "middle.git"
    if not (repository / "complete").exists():
        wanted = [(name, version) for name in PACKAGES for version in big_tree.PACKAGES[name]]
        archives = {each: big_tree.fetch(directory / "packages", *each) for each in wanted}
        big_tree.import_history(repository, lambda out: _write(out, archives))
    return repository


def _write(out: IO[bytes], archives: dict[tuple[str, str], Path]) -> None:
    editable: dict[bytes, bytes] = {}
    big_tree.begin_commit(out, 0, "base")
    for name in PACKAGES:
        for path, mode, content in big_tree.files_of(archives[name, big_tree.PACKAGES[name][0]]):
            place = b"%s/%s" % (name.encode(), path)
            big_tree.put_file(out, place, mode, content)
            if mode == "100644" and path.endswith(b".js") and len(content) < 20_000:
                editable[place] = content
    big_tree.tag(out, "base")
    chosen = sorted(editable)[:: len(editable) // _EDITED][:_EDITED]
    for number in (1, 2):
        big_tree.begin_commit(out, number, f"hotfix {number}")
        for path in chosen:
            big_tree.put_file(out, path, "100644", editable[path] + b"\n// hotfix %d\n" % number)
        big_tree.tag(out, f"hotfix/{number}")
    big_tree.begin_commit(out, 3, "upgrade")
    for name in PACKAGES:
        out.write(b"D %s\n" % name.encode())
        for path, mode, content in big_tree.files_of(archives[name, big_tree.PACKAGES[name][1]]):
            big_tree.put_file(out, b"%s/%s" % (name.encode(), path), mode, content)
    big_tree.tag(out, "upgrade")


# -- ours ---------------------------------------------------------------------------------------------------


class Copies:
    """The carrier."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        path = self._payloads.path(payload.sha256)
        assert path is not None
        shutil.copyfile(path, destination)


def travel(name: str, source: Repository, work: Path, url: str) -> Iterator[Row]:
    """Every release by one transport; a row for each."""
    place = work / name
    location = place / "srv/live"
    location.parent.mkdir(parents=True)
    keys = {"location": str(location), "slots": 2, "url": f"file://{source.git_dir}", "rsync_url": url}
    repo = config.load({"repo_config": {"bench": keys}}, "bench")
    payloads = Payloads(work / f"payloads-{name}")
    host = stages.Host(
        "bench", place / "cache", Copies(payloads), lambda *_: None, lambda *_: None, time.time
    )
    previous, numbers = "", itertools.count(1)
    for release in RELEASES:
        tag = source.tag(release)
        began, cpu = time.perf_counter(), _cpu()
        packed = transports.of(name).pack(payloads, source, "bench", tag, previous)
        row = {
            "way": name,
            "release": release,
            "pack_s": time.perf_counter() - began,
            "pack_cpu": _cpu() - cpu,
        }
        order = Order(f"{next(numbers):020d}", 1, FETCH, Release("bench", release, tag.commit), name, packed)
        row |= in_child(lambda order=order: _fetch(order, repo, host))  # type: ignore[misc]
        done = stages.run(Order(order.deploy, 1, CHECKOUT, order.release), repo, host)
        assert done.ok, done.error
        big_tree.say(json.dumps(row))
        yield row
        previous = tag.commit


def _fetch(order: Order, repo: config.Repo, host: stages.Host) -> Row:
    result = stages.run(order, repo, host)
    assert result.ok, result.error
    return {key: result.facts.get(key, 0) for key in ("bytes", "files")}


def in_child(act: Callable[[], Row]) -> Row:
    """What ``act`` returns, called in a process of its own, with what that process and its children needed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            began = time.perf_counter()
            row = act()
            io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
            row |= {"wall": time.perf_counter() - began, "cpu": _cpu(), "written": int(io["write_bytes"])}
            os.write(writing, json.dumps(row).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer: Row = json.loads(pipe.read())
    os.waitpid(child, 0)
    return answer


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


# -- what they are measured against ---------------------------------------------------------------------------


@contextlib.contextmanager
def daemon(exports: Path) -> Iterator[str]:
    """rsync's daemon on the loopback interface; its URL."""
    exports.mkdir()
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    settings = exports.with_name("rsyncd.conf")
    settings.write_text(f"use chroot = no\nuid = {getpass.getuser()}\n[exports]\npath = {exports}\n")
    command = [
        "rsync",
        "--daemon",
        "--no-detach",
        "--address=127.0.0.1",
        f"--port={port}",
        f"--config={settings}",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            while True:
                with (
                    contextlib.suppress(ConnectionRefusedError),
                    socket.create_connection(("127.0.0.1", port)),
                ):
                    break
                time.sleep(0.05)
            yield f"rsync://127.0.0.1:{port}/exports"
        finally:
            process.terminate()


def baselines(source: Repository, work: Path, url: str) -> Iterator[Row]:
    """Plain rsync of the tree, and of its archive."""
    tree, tar, staging = work / "tree", work / "archive", work / "exports" / "staging"
    for each in (tree, staging):
        each.mkdir()
    for release in RELEASES:
        commit = source.tag(release).commit
        archive = work / "exports" / "archive"
        with open(archive, "wb") as out:
            write_tar(source, commit, Stored(source), work, out)
        place = ["git", f"--git-dir={source.git_dir}", f"--work-tree={staging}"]
        environment = {**os.environ, "GIT_INDEX_FILE": str(work / "index")}
        subprocess.run([*place, "read-tree", "--reset", "-u", commit], check=True, env=environment)
        for way, command in {
            "rsync -a": ["-a", "--delete", f"{url}/staging/", f"{tree}/"],
            "rsync tar": ["--ignore-times", f"{url}/archive", str(tar)],
        }.items():
            row = {"way": way, "release": release, "pack_s": 0.0, "pack_cpu": 0.0}
            row |= in_child(lambda command=command: _rsync(command))  # type: ignore[misc]
            big_tree.say(json.dumps(row))
            yield row


def _rsync(arguments: list[str]) -> Row:
    said = subprocess.run(["rsync", "--stats", *arguments], check=True, capture_output=True, text=True).stdout
    found = _RECEIVED.search(said)
    assert found is not None
    return {"bytes": int(found[1].replace(",", "")), "files": 0}


# -- the table ------------------------------------------------------------------------------------------------


def report(rows: list[Row]) -> None:
    """Print a table for each kind of release; ratios are to the bundle of the same run."""
    for release, kind in TOLD.items():
        those = [row for row in rows if row["release"] == release]
        bundle = those[0]
        print(f"\n{kind} ({bundle['files']:,} files written)\n")
        print(
            "| way | received | × bundle | master, s CPU | target, s | × bundle | target, s CPU | written |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for row in those:
            print(
                f"| {row['way']} | {_received(row, bundle)} | {row['pack_cpu']:.2f} "
                f"| {row['wall']:.2f} | {row['wall'] / bundle['wall']:.2f} | {row['cpu']:.2f} | {_size(row['written'])} |"
            )


def _received(row: Row, bundle: Row) -> str:
    """What came, and its ratio to the bundle; git does not tell."""
    if row["way"] == "git":
        return "not known |"
    return f"{_size(row['bytes'])} | {row['bytes'] / bundle['bytes']:.2f}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} KB"


if __name__ == "__main__":
    raise SystemExit(main())
