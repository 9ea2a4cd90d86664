"""Measure what leaves the master when many targets take a big release over links of 100 Mbit/s, or of ``--rate``.

The release holds archives of npm packages, which no packing makes smaller, so that the payload is about as big as they are.
The ways: one target alone, which is what all others are measured by; all targets by http through two fanouts, which get it
by ``deploy.preseed``; and the swarm, of a bundle and of an archive, which takes a target less work to take in. Where links are
so fast that the machine's cores are what all targets wait for, ``--rate 25mbit`` shows what the swarm itself does.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench import big_tree, end_in_good_order, tables
from bench.peers.ours import REPO
from bench.results import Cell, Results, machine
from bench.rig import Rig, Wishes
from bench.rig.fleet import fleet

_RATE = "100mbit"
_PORT = 8010
_MOST_PAYLOADS, _MOST_TIMES = 2.0, 2.5


@dataclass(frozen=True)
class Way:
    """How the release travels: to ``alone`` one target or to all, by a transport, through so many fanouts."""

    name: str
    transport: str = "bundle"
    fanouts: int = 0
    alone: bool = False


WAYS = (
    Way("one target alone", alone=True),
    Way("http, two fanouts", fanouts=2),
    Way("swarm", transport="swarm"),
    Way("swarm of an archive", transport="tar+swarm"),
)


def build(directory: Path, megabytes: int) -> Path:
    """A repository of archives of that size with one release, unless it is there already."""
    repository = directory / f"archives-{megabytes}.git"
    if not (repository / "complete").exists():
        big_tree.import_history(repository, lambda out: _write(out, directory / "packages", megabytes))
    return repository


def _write(out: IO[bytes], packages: Path, megabytes: int) -> None:
    big_tree.begin_commit(out, 0, "base")
    size = 0
    for name, versions in big_tree.PACKAGES.items():
        for version in versions:
            content = big_tree.fetch(packages, name, version).read_bytes()
            if size < 1_000_000 * megabytes:
                big_tree.put_file(out, f"{name}-{version}.tgz".encode(), "100644", content)
                size += len(content)
    big_tree.tag(out, "base")


def main(options: argparse.Namespace, directory: Path) -> int:
    """Measure what is missing, print the table; 1 when a target of the project is missed."""
    end_in_good_order()
    source = build(directory, options.payload)
    rate = options.rate or _RATE
    name = f"egress-{options.payload}-MB-{options.minions}-targets" + (f"-{rate}" if options.rate else "")
    results = Results(directory / "results" / name)
    for way in WAYS:
        if options.again or not results.has(way.name):
            results.put(measure(way, source, 1 if way.alone else options.minions, rate), way.name)
    return report(results, options.minions, rate)


def measure(way: Way, source: Path, targets: int, rate: str) -> Cell:
    """The first install of the release, and what went ahead of it."""
    with Rig(Wishes(targets, rate=rate)) as rig:
        chosen = [host.name for host in rig.targets[: way.fanouts]]
        fanouts = [{"url": f"http://__HOST__:{_PORT}", "targets": ",".join(chosen), "targets_type": "list"}]
        repo = {
            "location": "{{ srv }}/app",
            "source": str(source),
            "targets": "*",
            "targets_type": "glob",
            "transport": way.transport,
            "timeout": 7200,
        }
        engine = {"engines": [{"deploy_payloads": {"port": _PORT, "address": "0.0.0.0"}}]} if chosen else {}
        with fleet(rig, {REPO: repo}, {"fanouts": fanouts if chosen else []}, minion=engine) as salt:
            with rig.measure() as ahead:
                if chosen:
                    _run(salt, "deploy.preseed")
            with rig.measure() as deploy:
                view = _run(salt, "deploy.sync")
        payload = max(host["bytes"] for host in view["hosts"].values())
        return {"payload": payload, "ahead": ahead.as_dict(), **deploy.as_dict(), "labels": rig.labels}


def _run(salt: Any, function: str) -> dict[str, Any]:
    done = salt.salt_run(function, f"repo={REPO}", "tag=base", "--out=json")
    if done.returncode:
        raise SystemExit(f"{function} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    view: dict[str, Any] = json.loads(done.stdout)
    return view


def report(results: Results, targets: int, rate: str) -> int:
    """The table; egress in payloads, and times as long as one target alone."""
    alone = results.get("one target alone")
    assert alone is not None
    rows, missed = [], 0
    for way in WAYS:
        cell = results.get(way.name)
        if cell is None:
            continue
        sent = [part["hosts"]["hub"]["sent"] for part in (cell, cell["ahead"])]
        egress = None if None in sent else sum(sent) / alone["payload"]
        times = cell["seconds"] / alone["seconds"]
        missed |= not way.alone and (egress is not None and egress > _MOST_PAYLOADS + 0.1)
        missed |= way.transport.endswith("swarm") and times > _MOST_TIMES
        rows.append(
            (
                way.name,
                tables.size(alone["payload"]),
                "–" if egress is None else f"{egress:.2f}",
                tables.seconds(cell["ahead"]["seconds"] if way.fanouts else None),
                tables.seconds(cell["seconds"]),
                f"{times:.2f}",
            )
        )
    head = (
        f"{targets} targets, {rate}",
        "payload",
        "master sent, payloads",
        "preseed s",
        "deploy s",
        "× one alone",
    )
    told = f"{machine()}; {'; '.join(alone['labels'])}\n\n" + tables.table(head, rows)
    print(told)
    (results.directory / "table.md").write_text(told)
    return int(missed)
