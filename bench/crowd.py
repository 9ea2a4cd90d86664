"""Measure a deploy to thousands of hosts over a real master: its daemons, its bus, ``salt-run``; the minions are crowds
of a few thousand in a process (``bench/rig/crowd.py``), each process on a host of its own.

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
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.master.records.secret import master_secret
from saltdeploy.protocol import events

from bench import end_in_good_order, plots, tables
from bench.results import Cell, Results, machine
from bench.rig import Rig, Wishes, census, meters
from bench.rig.fleet import fleet
from bench.rig.host import Host

REPO = "mediawiki"
START_SECONDS = 120.0
_SIZES = (1_000, 3_000, 5_000, 10_000)
_TOGETHER = 3_000  # of more hosts not all are asked at once: far too many for this master by then
_MOST = 2_500  # hosts in one process: each takes two of its files
_HIGHEST = ("slowest", "jobs")  # what does not add up over the crowd's processes


@dataclass
class Place:
    """A master with a crowd.

    Attributes:
        crowd: what each of its processes writes.
    """

    rig: Rig
    salt: Any
    source: Path
    crowd: list[Path]
    hosts: list[str]

    def counted(self) -> dict[str, Any]:
        """What the crowd has counted so far."""
        time.sleep(1.5)  # it tells each second
        return together([json.loads(out.read_text().splitlines()[-1]) for out in self.crowd])


def together(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What several processes of a crowd have counted, as if they were one."""
    told: Counter[str] = Counter()
    for report in reports:
        told.update(report)
    return {**told, **{name: max(report.get(name, 0) for report in reports) for name in _HIGHEST}}


def parts(hosts: Sequence[str]) -> list[list[str]]:
    """The hosts of each process, about as many in each."""
    count = -(-len(hosts) // _MOST)
    return [list(hosts[number::count]) for number in range(count)]


def cases(size: int) -> dict[str, dict[str, Any]]:
    """What an operator may set for a fleet of this size: how many hosts are asked at once, by its name."""
    every, few = _windows(size), _windows(200)
    filtered, still = {"zmq_filtering": True}, {"zmq_heartbeat_ivl": 0}
    usual: dict[str, dict[str, Any]] = {
        "500": {},  # the default
        "200": {"repo": few},
        "200, filtered": {"repo": few, "master": filtered},
        "200, no heartbeats": {"repo": few, "master": still},
        "200, filtered, no heartbeats": {"repo": few, "master": {**filtered, **still}},
    }
    return {"all": {"repo": every}, **usual} if size <= _TOGETHER else usual


def _windows(hosts: int) -> dict[str, int]:
    return {"batch": hosts, "fetch_batch": hosts}


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
    shares = parts(hosts)
    with Rig(Wishes(len(shares))) as rig:
        source = rig.hub.disk / "source"
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", source], check=True)
        keys = {"location": "/srv/app", "source": str(source), "targets": "*", "targets_type": "glob"}
        with fleet(rig, {REPO: {**keys, **(repo or {})}}, minions=(), master=master or {}) as salt:
            options = json.loads((salt.config / "master").read_text())
            known = _introduce(options, hosts)
            for host, share in zip(rig.targets, shares, strict=True):
                settings = _configure(host, options, share, {**known, **wishes})
                host.launch(sys.executable, "-m", "bench.rig.crowd", settings)
            outs = [host.state / "out" for host in rig.targets]
            _await_ready(outs)
            yield Place(rig, salt, source, outs, hosts)


def _introduce(options: dict[str, Any], hosts: list[str]) -> dict[str, str]:
    """Let the master know the hosts; what they all share: the pair of keys and the session key."""
    import salt.crypt  # here, so that --help works without Salt

    private, public = salt.crypt.gen_keys(2048)
    session = salt.crypt.Crypticle.generate_key_string()
    accepted, sessions = Path(options["pki_dir"], "minions"), Path(options["cachedir"], "sessions")
    for directory in (accepted, sessions):
        directory.mkdir(parents=True, exist_ok=True)  # the master has just begun
    for host in hosts:
        (accepted / host).write_text(public)
        (sessions / host).write_text(session)
    return {"private": private, "public": public, "session": session}


def _configure(host: Host, options: dict[str, Any], share: list[str], known: dict[str, Any]) -> Path:
    """Write down what the process of these hosts has to know."""
    home = host.state / "crowd"
    pki = home / "pki"
    pki.mkdir(parents=True)
    (pki / "minion.pem").write_text(known["private"])
    (pki / "minion.pub").write_text(known["public"])
    minion = {"id": share[0], "pki_dir": str(pki), "root_dir": str(home), "master": options["interface"]}
    (home / "minion").write_text(json.dumps({**minion, "master_port": options["ret_port"]}))
    wishes = {key: value for key, value in known.items() if key not in ("private", "public")}
    asked = {
        "directory": str(home),
        "master": options["interface"],
        "publish_port": options["publish_port"],
        "ret_port": options["ret_port"],
        "hosts": share,
        "secret": master_secret(Path(options["cachedir"], "deploy")).hex(),
        "filtering": bool(options.get("zmq_filtering")),
        **wishes,
    }
    settings = home / "crowd.json"
    settings.write_text(json.dumps(asked))
    return settings


def _await_ready(outs: list[Path]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while late := [out for out in outs if not (out.exists() and out.read_text().count("}\n"))]:
        if time.monotonic() > deadline:
            raise SystemExit(
                f"the crowd is not up after {START_SECONDS:.0f} s: {late[0].read_text()[-2000:]}"
            )
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
        "files": _open_files(place.rig.hub),
        "counted": {**counted, "slowest": after["slowest"]},
        "journal": _journal(place),
    }


def _open_files(host: Host) -> int:
    """The most files that a process of the host has open."""
    most = 0
    for process in meters.below(host.roots, meters.everyone()):
        with contextlib.suppress(OSError):  # it has ended
            most = max(most, len(os.listdir(f"/proc/{process.pid}/fd")))
    return most


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
    """Measure what is missing, print the table, draw the curve."""
    end_in_good_order()
    results = Results(directory / "results" / "crowd")
    for size in [int(each) for each in options.sizes.split(",")] if options.sizes else _SIZES:
        for name, settings in cases(size).items():
            if options.again or not results.has(str(size), name):
                with crowd(size, **settings) as place:
                    results.put(deploy(place, "v1"), str(size), name)
    report(results)
    return 0


def report(results: Results) -> None:
    """Print the table, write it beside the cells, and draw what a host costs by how many there are."""
    cells = sorted(
        (int(size), case, cell)
        for size, case, cell in ((*name.split("--"), cell) for name, cell in results.all())
    )
    rows = [_row(size, case, cell) for size, case, cell in cells]
    head = ("hosts", "at once", "end", "seconds", "hub CPU s", "ms/host", "hub sent")
    told = tables.table(
        (*head, "events not in the journal", "returns late", "slowest request, s", "open files"), rows
    )
    print(f"({machine()})\n\n{told}")
    (results.directory / "table.md").write_text(told)
    curves: dict[str, list[tuple[float, float]]] = {}
    for size, case, cell in cells:
        curves.setdefault(f"at once: {case}", []).append((size, _each(size, cell)))
    title = "what a deploy costs the master for each host"
    plots.lines(results.directory / "crowd", curves, ("hosts", "CPU, ms/host"), title, logarithmic=False)


def _each(size: int, cell: Cell) -> float:
    """Milliseconds of the master's processors for each host."""
    return float(1000 * cell["hub_cpu"] / size)


def _row(size: int, case: str, cell: Cell) -> tuple[str, ...]:
    counted, journal = cell["counted"], cell["journal"]
    return (
        f"{size:,}",
        case,
        f"{journal['outcome']}, {journal['ok']:,}",
        tables.seconds(cell["seconds"]),
        tables.seconds(cell["hub_cpu"]),
        f"{_each(size, cell):.0f}",
        tables.size(cell["hub_sent"]),
        str(counted["sent _minion_event"] - journal["progress"]),
        str(counted.get("late _return", 0)),
        f"{counted['slowest']:.1f}",
        f"{cell['files']:,}",
    )
