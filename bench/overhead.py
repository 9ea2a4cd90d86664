"""Measure what a deploy costs beyond its work: beside two bare rounds of ``test.ping``, in turns, on one fleet.

A real master and real minions on loopback (``demo.fleet``). Each release changes one small file of a small tree, is
fetched, switched to, taken up by a restart and checked. *Work* is what the slowest host says that its stages took.
What is beyond the work is for the deploy to account for: deciding, packing, publishing, forking a job on each
minion, hearing the answers, writing the journal.

Usage::

    python3 -m bench.overhead [--minions N] [--releases N]

Needs Salt in the same Python. Exits with 1 when the promise of docs/performance.md is broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events

from bench import CHECKOUT, end_in_good_order
from demo import sample
from demo.fleet import Fleet

REPO = "small"
ALLOWED = 1.5  # times two rounds of test.ping, beyond the work

Row = dict[str, float]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minions", type=int, default=8)
    parser.add_argument("--releases", type=int, default=12)
    options = parser.parse_args(words)
    end_in_good_order()
    usual = tempfile.gettempdir()
    directory = Path(tempfile.mkdtemp(prefix="deploy-bench-", dir=usual if len(usual) < 30 else "/tmp"))
    try:
        sample.make(directory / "site")
        fleet = Fleet(
            directory,
            CHECKOUT,
            [f"web{number}" for number in range(1, options.minions + 1)],
            pillar=pillar(directory),
            values={"hosts": str(directory / "hosts")},
            master={"engines": [{"deploy": {}}]},
        )
        with fleet:
            fleet.await_door()
            rows = [measure(fleet, directory / "site", number) for number in range(options.releases + 3)]
        return report(rows[3:])  # the first ones fill the slots
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def pillar(directory: Path) -> Path:
    """The directory of a pillar with one repo, whose release is taken up by a restart and checked."""
    place = directory / "pillar"
    place.mkdir()
    (place / "top.sls").write_text("base: {'*': [repos]}\n")
    repo = {
        "location": "{{ opts.deploy_demo.hosts }}/{{ opts.id }}/srv/small",
        "source": str(directory / "site"),
        "targets": "*",
        "targets_type": "glob",
        "restart_command": ["true"],
        "checks": {"index": {"after": "restart", "command": ["test", "-s", "index.html"]}},
    }
    (place / "repos.sls").write_text(json.dumps({"repo_config": {REPO: repo}}, indent=1))
    return place


def measure(fleet: Fleet, site: Path, number: int) -> Row:
    """One release and two rounds of pings, by Salt's clients in this process and by its commands."""
    import salt.client  # here, so that --help works without Salt
    import salt.config
    import salt.runner

    opts = {**salt.config.client_config(str(fleet.config / "master")), "quiet": True}
    with salt.client.LocalClient(mopts=opts) as client, salt.runner.RunnerClient(opts) as runner:
        _ = runner.mminion, runner.functions  # both clients are ready, as those of a reactor or an API are
        pings = seconds(lambda: [ping(client, fleet) for _ in range(2)])
        row = deploy(fleet, release(site, number, "client"), lambda tag: sync_here(runner, tag))
    words = [seconds(lambda: fleet.salt("*", "test.ping")) for _ in range(2)]
    tag = release(site, number, "command")
    command = seconds(lambda: sync_by_command(fleet.salt_run, "deploy.sync", tag))
    nothing = seconds(lambda: sync_by_command(fleet.salt_run, "deploy.sync", tag))
    tag = release(site, number, "door")
    warm = seconds(lambda: sync_by_command(fleet.saltdeploy, "sync", tag))
    nothing_warm = seconds(lambda: sync_by_command(fleet.saltdeploy, "sync", tag))
    row |= {"two pings": pings, "two salt test.ping": sum(words), "salt-run deploy.sync": command}
    row |= {"salt-run, nothing to do": nothing, "saltdeploy sync": warm, "saltdeploy, nothing": nothing_warm}
    print(json.dumps({name: round(value, 3) for name, value in row.items()}), flush=True)
    return row


def seconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def ping(client: Any, fleet: Fleet) -> None:
    answers = client.cmd("*", "test.ping")
    if len(answers) != len(fleet.minions):
        raise SystemExit(f"only {len(answers)} minions answer a ping")


def release(site: Path, number: int, way: str) -> str:
    """Commit and tag a change of one small file; the tag."""
    tag = f"r{number}-{way}"
    (site / "apes" / "index.html").write_text(f"Release {tag}\n")
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
    for command in (["commit", "--quiet", "--all", "--message", tag], ["tag", tag]):
        subprocess.run(["git", *who, *command], cwd=site, check=True)
    return tag


def sync_here(runner: Any, tag: str) -> dict[str, Any]:
    """Deploy from this process, as a reactor or an API does."""
    view: dict[str, Any] = runner.cmd("deploy.sync", kwarg={"repo": REPO, "tag": tag}, print_event=False)
    if view["retcode"]:
        raise SystemExit(f"deploy of {tag} failed: {view}")
    return view


def sync_by_command(
    command: Callable[..., subprocess.CompletedProcess[str]], function: str, tag: str
) -> None:
    """Deploy as an operator does, by ``salt-run`` or by ``saltdeploy``."""
    done = command(function, f"repo={REPO}", f"tag={tag}", "--out=json")
    if done.returncode:
        raise SystemExit(f"deploy of {tag} failed:\n{done.stdout}\n{done.stderr}")


def deploy(fleet: Fleet, tag: str, sync: Callable[[str], dict[str, Any]]) -> Row:
    """What a deploy took, and what of it where, out of its journal."""
    called = time.time()
    view = sync(tag)
    ended = time.time()
    journals = Journals(fleet.directory / "master" / "cache" / "deploy")
    told = list(replay(journals.path(REPO, view["deploy"])))
    at = {event["event"]: event["time"] for event in told}  # the last of each kind
    row = {"sync": ended - called, "prepare": told[0]["time"] - called, "settle": ended - at[events.FINISHED]}
    for stage in ("fetch", "checkout"):
        times = [event["time"] for event in told if event.get("stage") == stage]
        took = [
            event["seconds"]
            for event in told
            if event["event"] == events.HOST_FINISHED and event["stage"] == stage
        ]
        row |= {stage: times[-1] - times[0], f"{stage} work": max(took)}
    row["work"] = row["fetch work"] + row["checkout work"]
    return row


def report(rows: list[Row]) -> int:
    """Print medians; 1 when the promise is broken."""
    middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    base = middle["two pings"]
    print(f"\nmedians of {len(rows)} releases, and how often two rounds of test.ping that is:")
    for name, value in middle.items():
        print(f"  {name:24}{value:8.3f} s{value / base:8.2f}")
    for cold, warm in (
        ("salt-run deploy.sync", "saltdeploy sync"),
        ("salt-run, nothing to do", "saltdeploy, nothing"),
    ):
        ratio = statistics.median(row[warm] / row[cold] for row in rows)
        print(f"{warm}: {ratio:.2f} of {cold}")
    beyond = statistics.median((row["sync"] - row["work"]) / row["two pings"] for row in rows)
    print(f"beyond its work, a deploy costs {beyond:.2f} times two rounds; {ALLOWED} are allowed")
    if beyond > ALLOWED:
        print("BROKEN: a deploy costs more than that")
        return 1
    print("every promise holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
