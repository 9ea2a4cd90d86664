"""What the tests of rollouts share: how a host is made unwell, what it did, and who deploys."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from saltbridge.master import store
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events

from tests.integration.fleet import Run, wait_for
from tests.integration.repo import Repo

WORDS = ("CONVERGED", "HELD", "ROLLED BACK", "MIXED")
ALL = {"targets": "web1,web2,web3,web5,web6,web7,web8"}
CANARY = {"name": "canary", "targets": "web1", "targets_type": "list"}
REST = {"name": "rest"}
IS_WELL = {"type": "command", "after": "restart", "command": ["test", "!", "-e", "DISK/unwell"]}
GATE = {"type": "salt", "function": "gate.wait", "args": ["DISK/gate"]}
COUNT = {"tally.add": ["DISK/count"]}


@contextlib.contextmanager
def unwell(repo: Repo, *hosts: str) -> Iterator[None]:
    """The check :data:`IS_WELL` fails on these hosts."""
    marks = [repo.fleet.hosts[host].disk / "unwell" for host in hosts]
    for mark in marks:
        mark.touch()
    try:
        yield
    finally:
        for mark in marks:
            mark.unlink()


def counted(repo: Repo) -> dict[str, int]:
    """How often each host did what is counted; from now on it is counted anew."""
    found = {}
    for host in repo.hosts:
        place = repo.fleet.hosts[host].disk / "count"
        found[host] = len(place.read_text().split()) if place.exists() else 0
        place.unlink(missing_ok=True)
    return found


def journal(repo: Repo, deploy: str = "") -> list[events.Event]:
    """The events of a deploy, or of the newest one, up to now."""
    journals = Journals(repo.fleet.root)
    newest = deploy or journals.latest(repo.name)
    return list(replay(journals.path(repo.name, newest))) if newest else []


def asking(repo: Repo, **keys: Any) -> None:
    """All hosts run v0; from now on a deploy asks when the canary is done."""
    repo.has("v0")
    repo.configure(groups=[{**CANARY, "hold": "ask"}, REST], **keys)


def told(repo: Repo, kind: str, **fields: Any) -> Any:
    """Wait for an event of the newest deploy."""

    def look() -> events.Event | None:
        for event in journal(repo):
            if event["event"] == kind and all(event[key] == value for key, value in fields.items()):
                return event
        return None

    return wait_for(look)


def detached(repo: Repo, tag: str, **named: Any) -> str:
    """Begin a deploy and leave it to itself; its id."""
    begun = repo.fleet.salt_run("deploy.sync", repo=repo.name, tag=tag, detach=True, **named)
    assert (begun.status, begun.data["view"]) == (0, "detached"), begun
    return str(begun.data["deploy"])


def ended(repo: Repo, deploy: str) -> Run:
    """Follow a deploy to its end."""
    return repo.run("watch", id=deploy)


def kill_deployer(repo: Repo) -> None:
    """SIGKILL to the process that deploys the repo, and to nothing else."""
    locks = Locks(repo.fleet.root, store(repo.fleet.opts))

    def deployers() -> list[int]:
        return [lock.holder.pid for lock in locks.running(f"repo:{repo.name}")]

    (pid,) = deployers()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in deployers())
