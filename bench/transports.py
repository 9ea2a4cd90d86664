"""Measure every transport on the same releases, in one run: what travels, and what it costs the master and a target.

Without Salt: a target on the rig runs its stages by ``bench/stage.py``; payloads come by http from nginx, git by smart http,
rsync from its daemon. Beside the transports stand two ways that they are measured against:

==========  ================================================================================================
rsync -a    ``rsync -a --delete`` from a staging tree that git updates into a tree that holds the older release; no
            check, no switch
rsync tar   rsync of the uncompressed archive onto the older one; nothing is unpacked
==========  ================================================================================================
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import transports
from saltdeploy.content.payloads import Payloads
from saltdeploy.content.source import Stored
from saltdeploy.git.repository import Repository
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order, Payload
from saltdeploy.protocol.release import Release
from saltdeploy.transports.tar import write_tar

from bench import big_tree, blobs, plots, tables, trees
from bench.results import Results, machine
from bench.rig import Rig, Wishes, meters
from bench.rig.host import Host
from bench.rig.web import Web

#: Each way with the pillar's keys for it.
WAYS: dict[str, dict[str, Any]] = {
    "bundle": {"transport": "bundle"},
    "git": {"transport": "git"},
    "tar": {"transport": "tar"},
    "delta": {"transport": "delta"},
    "rsync": {"transport": "rsync"},
    "squashfs": {"transport": "squashfs"},
    "squashfs, mounted": {"transport": "squashfs", "layout": "overlay"},
}
BASELINES = ("rsync -a", "rsync tar")
_SLOTS = 2
_RSYNC_PORT = 8730

Row = dict[str, Any]


@dataclass(frozen=True)
class Course:
    """A repository, and its releases in the order in which a target gets them: tag and what it is called in the table.

    The first two fill the two slots; a tag that comes twice is asked for again.
    """

    name: str
    repository: Path
    releases: tuple[tuple[str, str], ...]


def main(options: argparse.Namespace, directory: Path) -> int:
    """Measure what is missing of both courses, and print the tables."""
    for course in courses(options, directory):
        results = Results(directory / "results" / f"transports-{course.name}")
        labels: list[str] = []
        for way in (*WAYS, *BASELINES):
            if options.again or not all(results.has(way, called) for _, called in course.releases):
                with Bench(course) as bench:
                    labels = bench.rig.labels
                    rows = bench.baseline(way) if way in BASELINES else bench.travel(way, WAYS[way])
                    for row in rows:
                        results.put({**row, "labels": labels}, way, row["called"])
        report(course, results)
    return 0


def courses(options: argparse.Namespace, directory: Path) -> Iterator[Course]:
    """The tree of small files, and the big ones."""
    tree = trees.build(directory, options.files)
    steps = (
        ("base", "first install"),
        ("small/1", "second slot"),
        ("small/2", "20 files"),
        ("small/2", "nothing"),
        ("medium/1", "1,000 files"),
        ("large/1", "10,000 files"),
    )
    yield Course(f"{options.files}-files", tree.repository, steps)
    yield Course(
        f"{options.blobs}-MB-of-blobs",
        blobs.build(directory, options.blobs),
        (("base", "first install"), ("next/1", "second slot"), ("next/2", "1 % changed")),
    )


class Bench:
    """A rig with one target, on which one way is measured."""

    def __init__(self, course: Course) -> None:
        self.course, self.source = course, Repository(course.repository)
        self.rig = Rig(Wishes(1))
        try:
            self.target = self.rig.targets[0]
            self.served = self.rig.hub.disk / "served"
            self.payloads = Payloads(self.served / "payloads")
            self.served.mkdir()
            (self.served / "source.git").symlink_to(course.repository)
            self.web = Web(self.rig, self.served)
            self.rsync = self._rsync_daemon()
        except BaseException:
            self.rig.close()
            raise

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.rig.close()

    def travel(self, way: str, keys: dict[str, Any]) -> Iterator[Row]:
        """Every release by one transport; a row for each."""
        keys = {
            "location": str(self.target.srv / "live"),
            "slots": _SLOTS,
            "url": f"{self.web.url}/smart/source.git",
            "rsync_url": self.rsync,
            "timeout": 7200,
            **keys,
        }
        previous, offered, numbers = "", (), itertools.count(1)
        for name, called in self.course.releases:
            tag = self.source.tag(name)
            row: Row = {"way": way, "called": called}
            if tag.commit != previous:
                began, cpu = time.perf_counter(), _cpu()
                offered = self._pack(keys["transport"], name, previous)
                row |= {"pack_seconds": time.perf_counter() - began, "pack_cpu": _cpu() - cpu}
            order = Order(
                f"{next(numbers):020d}",
                1,
                FETCH,
                Release("bench", name, tag.commit),
                keys["transport"],
                offered,
            )
            row |= self._metered(lambda order=order: self._stage(order, keys))  # type: ignore[misc]
            done = self._stage(Order(order.deploy, 1, CHECKOUT, order.release), keys)
            row["switch_seconds"] = done["seconds"]
            big_tree.say(json.dumps(row))
            yield row
            previous = tag.commit

    def _pack(self, transport: str, name: str, previous: str) -> tuple[Payload, ...]:
        tag = self.source.tag(name)
        return transports.of(transport).pack(self.payloads, self.source, "bench", tag, previous)

    def _stage(self, order: Order, keys: dict[str, Any]) -> Row:
        asked = {
            "order": order.to_wire(),
            "keys": keys,
            "cache": str(self.target.srv / "cache"),
            "url": f"{self.web.url}/plain/payloads",
        }
        command = self.target.command([sys.executable, "-m", "bench.stage"])
        done = subprocess.run(
            command,
            input=json.dumps(asked),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        row: Row = json.loads(done.stdout)
        return row

    def _metered(self, act: Any) -> Row:
        """What ``act`` tells, with the bytes that it moved over the wire and the processor time of the hub's servers."""
        hub, target = self._read(self.rig.hub), self._read(self.target)
        row: Row = act()
        served, moved = self._read(self.rig.hub).since(hub, 0), self._read(self.target).since(target, 0)
        wire = None if moved.received is None or moved.sent is None else moved.received + moved.sent
        return {**row, "wire": wire, "served_cpu": served.cpu}

    @staticmethod
    def _read(host: Host) -> meters.Figures:
        return meters.read(host.roots, host.device)

    # -- what they are measured against -----------------------------------------------------------------------

    def baseline(self, way: str) -> Iterator[Row]:
        """Plain rsync of the tree, or of its archive; the daemon runs on the hub."""
        exports = self.served / "exports"
        tree, archive = exports / "tree", exports / "archive"
        tree.mkdir(parents=True)
        index = self.rig.hub.state / "index"
        for name, called in self.course.releases:
            commit = self.source.tag(name).commit
            began, cpu = time.perf_counter(), _cpu()
            if way == "rsync tar":
                with open(archive, "wb") as out:
                    write_tar(self.source, commit, Stored(self.source), self.rig.hub.state, out)
                arguments = ["--ignore-times", f"{self.rsync}/archive", str(self.target.srv / "archive")]
            else:
                place = ["git", f"--git-dir={self.source.git_dir}", f"--work-tree={tree}"]
                environment = {**os.environ, "GIT_INDEX_FILE": str(index)}
                subprocess.run([*place, "read-tree", "--reset", "-u", commit], check=True, env=environment)
                arguments = ["-a", "--delete", f"{self.rsync}/tree/", f"{self.target.srv / 'tree'}/"]
            row = {
                "way": way,
                "called": called,
                "pack_seconds": time.perf_counter() - began,
                "pack_cpu": _cpu() - cpu,
            }
            row |= self._metered(lambda arguments=arguments: self._rsync(arguments))  # type: ignore[misc]
            big_tree.say(json.dumps(row))
            yield row

    def _rsync(self, arguments: list[str]) -> Row:
        before, began = meters.read_commands(), time.perf_counter()
        self.target.run("rsync", *arguments)
        seconds = time.perf_counter() - began
        took = meters.read_commands().since(before, 0)
        return {"seconds": seconds, "cpu": took.cpu, "written": took.written}

    def _rsync_daemon(self) -> str:
        """rsync's daemon on the hub; the URL of what it exports."""
        exports, hub = self.served / "exports", self.rig.hub
        exports.mkdir()
        settings = hub.state / "rsyncd.conf"
        root = "uid = root\ngid = root\n" if os.getuid() == 0 else ""
        settings.write_text(f"use chroot = no\n{root}[exports]\npath = {exports}\n")
        listen = [f"--address={hub.address}", f"--port={_RSYNC_PORT}", f"--config={settings}"]
        hub.launch("rsync", "--daemon", "--no-detach", *listen)
        url = f"rsync://{hub.address}:{_RSYNC_PORT}/exports"
        for _ in range(100):
            if self.target.run("rsync", url, check=False, stderr=subprocess.DEVNULL).returncode == 0:
                return url
            time.sleep(0.1)
        raise SystemExit("rsync's daemon does not answer")


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


# -- the tables -----------------------------------------------------------------------------------------------

HEAD = (
    "wire",
    "× bundle",
    "pack s",
    "pack CPU",
    "serve CPU",
    "target s",
    "× bundle",
    "target CPU",
    "written",
)


def report(course: Course, results: Results) -> None:
    """Print a table for each kind of release; ratios are to the bundle of the same run."""
    parts, seconds = [], {}
    for _, called in course.releases:
        rows = {way: row for way in (*WAYS, *BASELINES) if (row := results.get(way, called))}
        if not rows:
            continue
        base = rows.get("bundle", {})
        parts.append(tables.table((called, *HEAD), [_line(way, row, base) for way, row in rows.items()]))
        seconds[called] = {way: row["seconds"] for way, row in rows.items()}
    label = next((row["labels"] for _, row in results.all() if "labels" in row), [])
    told = f"{course.name.replace('-', ' ')}, one target ({machine()}); {'; '.join(label)}\n\n" + "\n".join(
        parts
    )
    print(told)
    (results.directory / "table.md").write_text(told)
    ways = dict.fromkeys(way for rows in seconds.values() for way in rows)
    shown = {way: {called: rows[way] for called, rows in seconds.items() if way in rows} for way in ways}
    plots.bars(results.directory / "seconds", shown, "seconds", "fetch of a release, one target")


def _line(way: str, row: Row, base: Row) -> list[str]:
    return [
        way,
        tables.size(row["wire"]),
        tables.ratio(row["wire"], base.get("wire")),
        tables.seconds(row.get("pack_seconds")),
        tables.seconds(row.get("pack_cpu")),
        tables.seconds(row["served_cpu"]),
        tables.seconds(row["seconds"]),
        tables.ratio(row["seconds"], base.get("seconds")),
        tables.seconds(row["cpu"]),
        tables.size(row["written"]),
    ]
