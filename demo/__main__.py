"""The tour: a first install, a change, a release that fails on its canary, the way back, and which host runs what.

See ``make demo``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from demo import processes, sample
from demo.fleet import Fleet, FleetError
from demo.proof import release_in
from demo.web import Web

CHECKOUT = Path(__file__).resolve().parent.parent
PREFIX = "deploy-demo-"
REPO = "demo"


class DemoError(Exception):
    """The tour cannot go on; the text is for the person at the terminal."""


def main() -> int:
    """Run the tour, or stop a fleet that an earlier one left up; return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--repo", default="", help="a git repository; a small sample if empty")
    parser.add_argument(
        "--tags", default="", help="its tags, oldest first, apart by spaces; its last three if empty"
    )
    parser.add_argument("--minions", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="leave the fleet up")
    parser.add_argument("--web", action="store_true", help="show it on the page too, and leave the fleet up")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left up")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return _stop_kept() if arguments.stop else _run(arguments)
    except (DemoError, FleetError) as error:
        _say(f"demo: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nstopped by Ctrl-C, nothing left behind")
        return 130


def _run(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short_directory()))
    kept = False
    try:
        (directory / "owner").write_text(str(os.getpid()))
        repository, tags = _repository(arguments.repo, arguments.tags.split(), directory)
        web = Web(CHECKOUT) if arguments.web else None
        fleet = Fleet(
            directory,
            CHECKOUT,
            [f"web{number}" for number in range(1, arguments.minions + 1)],
            values={
                "hosts": str(directory / "hosts"),
                "source": str(repository),
                "url": f"file://{repository}",
                **({} if arguments.repo else {"rollout": sample.ROLLOUT}),
            },
            grains={"deployment_target": [REPO]},
            master=web.settings() if web else None,
            tell=_say,
        )
        _say(f"starting a Salt master and {arguments.minions} minions in {directory}")
        with fleet:
            _say(f"up after {time.monotonic() - began:.0f} s; deploying {', '.join(tags)} of {repository}")
            if web:
                fleet.serve(web.url)
                _say(f"the page: {web.log_in}")
            status = _tour(fleet, repository, tags, fails=not arguments.repo)
            if arguments.keep or web:
                fleet.keep()
                kept = True
                _say(_what_to_try(fleet, tags))
            if web:
                _say(f"\nthe page: {web.log_in}")
            if not kept:
                _say(f"stopping the master and its {arguments.minions} minions")
    finally:
        # a second Ctrl-C shall not leave processes behind
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not kept:
            _remove(directory)
    _say(f"{'left up' if kept else 'stopped, nothing left behind'}; {time.monotonic() - began:.0f} s in all")
    return status


def _tour(fleet: Fleet, repository: Path, tags: list[str], *, fails: bool) -> int:
    """Deploy each tag, go back from the last one, and show where each host stands.

    Args:
        fails: the last one is broken: its deploy goes back by itself, with status 1. Else an operator rolls back.
    """
    syncs = [["deploy.sync", f"repo={REPO}", _argument(tag)] for tag in tags]
    steps = [(step, 0, "") for step in syncs]
    if fails:
        broken = "the last release is broken: a check sees it on the canary, and all goes back by itself"
        steps[-1] = (syncs[-1], 1, broken)
    elif len(tags) > 1:
        steps.append((["deploy.rollback", f"repo={REPO}"], 0, ""))
    steps += [([f"deploy.{view}", f"repo={REPO}"], 0, "") for view in ("versions", "report")]
    for step, expected, about in steps:
        _say(f"\n{about}" if about else "")
        _say(f"$ {shlex.join(['salt-run', *step])}")
        status = fleet.salt_run(*step, show=True).returncode
        if status != expected:
            _say(f"exit status {status}, and it should be {expected}")
            return status or 1
    expected_tag = tags[-2] if len(tags) > 1 else tags[0]
    return _prove(fleet, repository, tags, expected_tag)


def _prove(fleet: Fleet, repository: Path, tags: list[str], expected: str) -> int:
    hosts = fleet.directory / "hosts"
    _say(f"\nwhat lies on disk below {hosts}, every byte compared with git:")
    right = True
    for host in fleet.minions:
        location = hosts / host / "srv" / "www" / REPO
        found = release_in(location.resolve(), repository, tags) if location.exists() else ""
        right = right and found == expected
        link = f"{location.relative_to(hosts)} -> {location.resolve().relative_to(location.parent)}"
        _say(f"{host:6} {found or 'NO RELEASE'}  {link}")
    return 0 if right else 1


def _repository(named: str, tags: list[str], directory: Path) -> tuple[Path, list[str]]:
    """The repository to deploy, and its tags."""
    if not named:
        if tags:
            raise DemoError("TAGS are tags of a repository: give REPO=/path/to/it as well")
        sample.make(directory / "site")
        return directory / "site", sample.TAGS
    repository = Path(named).expanduser().resolve()
    command = ["git", "-c", "safe.directory=*", "-C", str(repository), "for-each-ref", "--sort=creatordate"]
    command += ["--format=%(refname:strip=2)", "refs/tags/"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode != 0:
        raise DemoError(f"{repository} is not a git repository that can be read: {listed.stderr.strip()}")
    known = listed.stdout.split()
    missing = [tag for tag in tags if tag not in known]
    if missing or not known:
        raise DemoError(
            f"{repository} has no tag {' or '.join(missing) or 'at all'}; it needs tags to deploy"
        )
    return repository, tags or known[-3:]


def _argument(tag: str) -> str:
    """``tag=...`` as Salt's command line wants it: 1.10 would be read as the number 1.1."""
    return f"tag={tag if yaml.safe_load(tag) == tag else json.dumps(tag)}"


def _short_directory() -> str:
    """Where sockets may lie: their paths are limited to 107 bytes."""
    usual = tempfile.gettempdir()
    return usual if len(usual) < 30 else "/tmp"


def _what_to_try(fleet: Fleet, tags: list[str]) -> str:
    tries = [
        f"cd {shlex.quote(str(CHECKOUT))}; c={fleet.config}",
        f".venv/bin/salt-run -c $c deploy.versions repo={REPO}",
        f".venv/bin/salt-run -c $c deploy.report repo={REPO} --out=json",
        f".venv/bin/salt-run -c $c deploy.plan repo={REPO} {shlex.quote(_argument(tags[0]))}",
        f".venv/bin/salt-run -c $c deploy.sync repo={REPO} {shlex.quote(_argument(tags[0]))}",
        f".venv/bin/salt-run -c $c deploy.watch repo={REPO}      # in a second terminal",
        f".venv/bin/salt -c $c '*' deploy.status {REPO}",
        f".venv/bin/salt -c $c web1 deploy.verify {REPO} full=True",
        "make demo-stop",
    ]
    return "\nthe fleet is up; try\n" + "\n".join(f"  {line}" for line in tries)


def _stop_kept() -> int:
    """Stop the fleets of demos that have ended."""
    for directory in Path(_short_directory()).glob(f"{PREFIX}*"):
        owner = directory / "owner"
        mine = owner.is_file() and owner.stat().st_uid == os.getuid()
        if mine and not Path("/proc", owner.read_text()).exists():
            _remove(directory)
            _say(f"stopped the fleet in {directory}")
    return 0


def _remove(directory: Path) -> None:
    processes.end_all(directory)
    shutil.rmtree(directory, ignore_errors=True)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
