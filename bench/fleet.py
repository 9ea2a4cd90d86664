"""Measure whole deploys to ten real minions: a first install, then releases of one commit each.

A real master and real minions on loopback (``demo.fleet``), the repository of ``bench/long_history.py``. For each
release: bytes of payload per target beside the smallest bundle that git makes between the two tags, files written
in the tree of each target (by their mtime) beside the files that differ, and seconds.

Usage::

    python3 -m bench.fleet [--directory DIR] [--minions N]

Needs Salt in the same Python. Exits with 1 when a number misses what docs/performance.md promises.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events

from bench import CHECKOUT, big_tree, cache, end_in_good_order, long_history
from demo.fleet import Fleet

REPO = "demo"  # the repo of the example pillar
SLOTS = 3
PINGS = 11

Row = dict[str, Any]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=cache(), help="where all is built")
    parser.add_argument("--minions", type=int, default=10)
    options = parser.parse_args(words)
    end_in_good_order()
    repository = long_history.build(options.directory.resolve())
    usual = tempfile.gettempdir()
    directory = Path(tempfile.mkdtemp(prefix="deploy-bench-", dir=usual if len(usual) < 30 else "/tmp"))
    fleet = Fleet(
        directory,
        CHECKOUT,
        [f"web{number}" for number in range(1, options.minions + 1)],
        values={"hosts": str(directory / "hosts"), "source": str(repository), "url": f"file://{repository}"},
        grains={"deployment_target": [REPO]},
    )
    try:
        big_tree.say(f"starting {options.minions} minions in {directory}")
        with fleet:
            big_tree.say("up")
            rows = [deploy(fleet, repository, number) for number in range(1, long_history.TAGS + 1)]
            nothing = [no_change(fleet) for _ in range(3)]
            pings, ping_command = ping(fleet), [seconds(fleet.salt, "*", "test.ping") for _ in range(3)]
        return report(rows, nothing, pings, ping_command)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def deploy(fleet: Fleet, repository: Path, number: int) -> Row:
    """Deploy ``v<number>``; what it took."""
    before = time.time_ns()
    took, view = sync(fleet, f"v{number}")
    trees = [fleet.directory / "hosts" / host / "srv" / "www" / REPO for host in fleet.minions]
    row = {
        "release": f"v{number}",
        "total_s": took,
        "deploy_s": view["seconds"],
        "payload": sorted({host["bytes"] for host in view["hosts"].values()}),
        "smallest": smallest_bundle(fleet.directory, repository, number),
        "written": sorted({big_tree.written_since(tree, before) for tree in trees}),
        "commit_changes": differing(repository, number - 1, number),
        # a slot in which nothing is begins as the tree of the release before
        "slot_lacks": differing(repository, number - (SLOTS if number > SLOTS else 1), number),
        **stages(fleet, view["deploy"]),
    }
    big_tree.say(json.dumps(row))
    return row


def sync(fleet: Fleet, tag: str) -> tuple[float, dict[str, Any]]:
    """Run ``salt-run deploy.sync`` as an operator would; seconds, and its answer."""
    began = time.perf_counter()
    done = fleet.salt_run("deploy.sync", f"repo={REPO}", f"tag={tag}", "--out=json")
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"deploy of {tag} failed:\n{done.stdout}\n{done.stderr}")
    view: dict[str, Any] = json.loads(done.stdout)
    return took, view


def no_change(fleet: Fleet) -> float:
    """Seconds for a sync to the release that is everywhere already."""
    return sync(fleet, f"v{long_history.TAGS}")[0]


def stages(fleet: Fleet, deploy_id: str) -> dict[str, float]:
    """Seconds from the first to the last event of each stage, out of the journal."""
    journals = Journals(fleet.directory / "master" / "cache" / "deploy")
    times: dict[str, list[float]] = {}
    for event in replay(journals.path(REPO, deploy_id)):
        if event["event"] in (events.STAGE_STARTED, events.STAGE_FINISHED):
            times.setdefault(f"{event['stage']}_s", []).append(event["time"])
    return {stage: max(both) - min(both) for stage, both in times.items()}


def smallest_bundle(directory: Path, repository: Path, number: int) -> int:
    """Bytes of git's own bundle between two tags; 0 for the first one, where git has none without history."""
    if number == 1:
        return 0
    bundle = directory / "smallest"
    # with bitmaps git is quicker, and makes bundles many times the size
    command = ["git", "-c", "pack.useBitmaps=false", f"--git-dir={repository}", "bundle", "create", "--quiet"]
    subprocess.run([*command, str(bundle), f"v{number - 1}..refs/tags/v{number}"], check=True)
    return bundle.stat().st_size


def differing(repository: Path, old: int, new: int) -> int:
    """How many files differ between two tags; all files when there is no older one."""
    git = ["git", f"--git-dir={repository}"]
    names = (
        ["diff-tree", "-r", "--name-only", f"v{old}", f"v{new}"] if old > 0 else ["ls-tree", "-r", f"v{new}"]
    )
    return len(subprocess.run([*git, *names], check=True, stdout=subprocess.PIPE).stdout.splitlines())


def ping(fleet: Fleet) -> list[float]:
    """Seconds for one ``test.ping`` of all minions, each, by Salt's own client in this process."""
    import salt.client  # here, so that --help works without Salt

    client = salt.client.LocalClient(str(fleet.config / "master"))
    times = []
    for _ in range(PINGS):
        began = time.perf_counter()
        answers = client.cmd("*", "test.ping")
        times.append(time.perf_counter() - began)
        if len(answers) != len(fleet.minions):
            raise SystemExit(f"only {len(answers)} minions answer a ping")
    return times


def seconds(command: Any, *arguments: str) -> float:
    """How long a command of the fleet takes, with the start of Python and Salt."""
    began = time.perf_counter()
    command(*arguments)
    return time.perf_counter() - began


def report(rows: list[Row], nothing: list[float], pings: list[float], ping_command: list[float]) -> int:
    """Print what was measured; 1 when a promise is broken."""
    columns = (
        "payload B",
        "smallest B",
        "written",
        "slot lacks",
        "commit",
        "fetch s",
        "checkout s",
        "deploy s",
        "in all s",
    )
    print(f"\n{'':9}" + "".join(f"{name:>12}" for name in columns))
    for row in rows:
        cells = (
            f"{row['payload'][-1]:,}",
            f"{row['smallest']:,}" if row["smallest"] else "-",
            f"{row['written'][-1]:,}",
            f"{row['slot_lacks']:,}",
            f"{row['commit_changes']:,}",
            f"{row['fetch_s']:.2f}",
            f"{row['checkout_s']:.2f}",
            f"{row['deploy_s']:.2f}",
            f"{row['total_s']:.2f}",
        )
        print(f"{row['release']:9}" + "".join(f"{cell:>12}" for cell in cells))
    warm = rows[SLOTS:]
    base = statistics.median(pings)
    print(
        f"\nmedians of the {len(warm)} releases with all slots warm, and how many rounds of test.ping that is:"
    )
    for label, values in (
        ("test.ping of all, LocalClient", pings),
        ("fetch", [row["fetch_s"] for row in warm]),
        ("checkout", [row["checkout_s"] for row in warm]),
        ("deploy", [row["deploy_s"] for row in warm]),
        ("salt-run deploy.sync in all", [row["total_s"] for row in warm]),
        ("salt-run deploy.sync, nothing to do", nothing),
        ("salt '*' test.ping in all", ping_command),
    ):
        middle = statistics.median(values)
        print(f"  {label:36}{middle:8.2f} s{middle / base:8.1f}")
    broken = list(_broken(rows))
    print("".join(f"BROKEN: {line}\n" for line in broken) or "every promise holds")
    return 1 if broken else 0


def _broken(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        if row["smallest"] and row["payload"][-1] > 1.2 * row["smallest"]:
            yield f"{row['release']}: {row['payload'][-1]} bytes of payload; git's bundle has {row['smallest']}"
        if row["written"] != [row["slot_lacks"]]:
            yield f"{row['release']}: {row['written']} files written, {row['slot_lacks']} differ"


if __name__ == "__main__":
    raise SystemExit(main())
