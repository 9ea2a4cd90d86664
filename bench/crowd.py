"""Measure a deploy to thousands of hosts over a real master: its daemons, its bus, ``salt-run``; the minions are a crowd
in one process (``bench/rig/crowd.py``), on a host of its own.

A repository with one small file and a fleet that has none yet: without payloads. What hosts compute is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import events
from saltdeploy.master.journal import Journals, replay
from saltdeploy.master.pins import master_secret

from bench import end_in_good_order, tables
from bench.results import Results, machine
from bench.rig import Rig, Wishes, census
from bench.rig.fleet import fleet

REPO = "mediawiki"
START_SECONDS = 120.0
_SIZES = (1_000, 3_000)
#: what an operator sets: how many hosts are asked at once
_CASES: dict[str, dict[str, Any]] = {
    "all": {},
    "200": {"repo": {"batch": 200, "fetch_batch": 200}},
    "200, filtered": {"repo": {"batch": 200, "fetch_batch": 200}, "master": {"zmq_filtering": True}},
}


@dataclass
class Place:
    """A master with a crowd."""

    rig: Rig
    salt: Any
    source: Path
    crowd: Path
    hosts: list[str]

    def counted(self) -> dict[str, Any]:
        """What the crowd has counted so far."""
        time.sleep(1.5)  # it tells each second
        return json.loads(self.crowd.read_text().splitlines()[-1])


@contextlib.contextmanager
def crowd(
    size: int, *, repo: dict[str, Any] | None = None, master: dict[str, Any] | None = None, **wishes: Any
) -> Iterator[Place]:
    """A master and so many hosts.

    Args:
        repo: more keys of the repo's section in the pillar.
        master: more settings of the master.
        wishes: more of :class:`bench.rig.crowd.Wishes`.
    """
    hosts = [f"web{number:05}.example.org" for number in range(size)]
    with Rig(Wishes(1)) as rig:
        source = rig.hub.disk / "source"
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", source], check=True)
        keys = {"location": "/srv/app", "source": str(source), "targets": "*", "targets_type": "glob"}
        with fleet(rig, {REPO: {**keys, **(repo or {})}}, minions=(), master=master or {}) as salt:
            settings = _configure(salt, rig, hosts, wishes)
            rig.targets[0].launch(sys.executable, "-m", "bench.rig.crowd", settings)
            out = rig.targets[0].state / "out"
            _await_ready(out)
            yield Place(rig, salt, source, out, hosts)


def _configure(salt_fleet: Any, rig: Rig, hosts: list[str], wishes: dict[str, Any]) -> Path:
    """Let the master know the hosts, and write down what the crowd has to know."""
    import salt.crypt  # here, so that --help works without Salt

    options = json.loads((salt_fleet.config / "master").read_text())
    home = rig.directory / "crowd"
    pki = home / "pki"
    pki.mkdir(parents=True)
    private, public = salt.crypt.gen_keys(2048)
    (pki / "minion.pem").write_text(private)
    (pki / "minion.pub").write_text(public)
    session = salt.crypt.Crypticle.generate_key_string()
    accepted, sessions = Path(options["pki_dir"], "minions"), Path(options["cachedir"], "sessions")
    for directory in (accepted, sessions):
        directory.mkdir(parents=True, exist_ok=True)  # the master has just begun
    for host in hosts:
        (accepted / host).write_text(public)
        (sessions / host).write_text(session)
    minion = {"id": hosts[0], "pki_dir": str(pki), "root_dir": str(home), "master": rig.hub.address}
    (home / "minion").write_text(json.dumps({**minion, "master_port": options["ret_port"]}))
    asked = {
        "directory": str(home),
        "master": rig.hub.address,
        "publish_port": options["publish_port"],
        "ret_port": options["ret_port"],
        "hosts": hosts,
        "session": session,
        "secret": master_secret(Path(options["cachedir"], "deploy")).hex(),
        "filtering": bool(options.get("zmq_filtering")),
        **wishes,
    }
    settings = home / "crowd.json"
    settings.write_text(json.dumps(asked))
    return settings


def _await_ready(out: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (out.exists() and out.read_text().count("}\n")):
        if time.monotonic() > deadline:
            raise SystemExit(f"the crowd is not up after {START_SECONDS:.0f} s: {out.read_text()[-2000:]}")
        time.sleep(0.2)


def release(place: Place, tag: str) -> None:
    """Commit and tag a change."""
    (place.source / "index.html").write_text(f"Release {tag}\n")
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
    for command in (["add", "."], ["commit", "--quiet", "--message", tag], ["tag", tag]):
        subprocess.run(["git", *who, *command], cwd=place.source, check=True)


def deploy(place: Place, tag: str) -> dict[str, Any]:
    """Deploy a release; what it took, and what came of it."""
    release(place, tag)
    before = place.counted()
    watch = census.Census([*place.rig.hub.roots, os.getpid()])
    with place.rig.measure() as measured:
        done = place.salt.salt_run("deploy.sync", f"repo={REPO}", f"tag={tag}", "--out=json")
    roles = watch.stop()
    after = place.counted()
    counted = {key: value - before.get(key, 0) for key, value in after.items() if key != "slowest"}
    hub = measured.as_dict()["hosts"]["hub"]
    return {
        "seconds": measured.seconds,
        "retcode": done.returncode,
        "said": done.stderr[-500:] if done.returncode else "",
        "hub_cpu": hub["cpu"],
        "hub_sent": hub["sent"],
        "hub_received": hub["received"],
        "roles": roles,
        "counted": {**counted, "slowest": after["slowest"]},
        "journal": _journal(place),
    }


def _journal(place: Place) -> dict[str, Any]:
    """What the deploy's journal says."""
    journals = Journals(place.salt.directory / "master" / "cache" / "deploy")
    path = journals.path(REPO, journals.latest(REPO))
    told = list(replay(path))
    at = {}
    for event in told:
        at.setdefault(event["event"], event["time"])
    finished = next(event for event in told if event["event"] == events.FINISHED)
    stages = [(event["stage"], event["time"]) for event in told if event["event"] == events.STAGE_STARTED]
    ends = [(event["stage"], event["time"]) for event in told if event["event"] == events.STAGE_FINISHED]
    return {
        "outcome": finished["outcome"],
        "ok": finished["ok"],
        "events": len(told),
        "progress": sum(event["event"] == events.HOST_PROGRESS for event in told),
        "warned": [event["text"][:200] for event in told if event["event"] == events.WARNED][:5],
        "asked": sum(event["event"] == events.ASKED for event in told),
        "stages": {name: dict(ends).get(name, 0) - begin for name, begin in stages},
        "seconds": finished["time"] - told[0]["time"],
        "bytes": path.stat().st_size,
    }


def main(options: argparse.Namespace, directory: Path) -> int:
    """Measure what is missing, and print the table."""
    end_in_good_order()
    results = Results(directory / "results" / "crowd")
    for size in [int(each) for each in options.sizes.split(",")] if options.sizes else _SIZES:
        for name, settings in _CASES.items():
            if options.again or not results.has(str(size), name):
                with crowd(size, **settings) as place:
                    results.put(deploy(place, "v1"), str(size), name)
    report(results)
    return 0


def report(results: Results) -> None:
    """Print the table and write it beside the cells."""
    rows = []
    for name, cell in sorted(results.all(), key=lambda pair: int(pair[0].split("--")[0])):
        size, case = name.split("--")
        counted, journal = cell["counted"], cell["journal"]
        rows.append(
            (
                f"{int(size):,}",
                case,
                f"{journal['outcome']}, {journal['ok']:,}",
                tables.seconds(cell["seconds"]),
                tables.seconds(cell["hub_cpu"]),
                f"{1000 * cell['hub_cpu'] / int(size):.0f}",
                tables.size(cell["hub_sent"]),
                str(counted["sent _minion_event"] - journal["progress"]),
                str(counted.get("late _return", 0)),
                f"{counted['slowest']:.1f}",
            )
        )
    head = ("hosts", "at once", "end", "seconds", "hub CPU s", "ms/host", "hub sent")
    told = tables.table((*head, "events lost", "returns late", "slowest request, s"), rows)
    print(f"({machine()})\n\n{told}")
    (results.directory / "table.md").write_text(told)
