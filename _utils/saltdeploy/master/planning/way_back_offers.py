"""The releases that a roll back can lead to without git and network: those that lie on the disks of hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.master.records.lineage import lineage
from saltdeploy.master.records.pins import Pins

_MOST = 9  # releases


@dataclass(frozen=True)
class WayBackOffer:
    """One release.

    Attributes:
        hosts, of: how many hosts had it on disk when they were heard last, of how many.
        time: when it was deployed last, in seconds since the epoch.
        bad: why it is marked as bad; "" where it is not.
        is_before: it is the one that a roll back without a tag leads to.
    """

    tag: str
    hosts: int
    of: int
    time: float
    bad: str
    is_before: bool


def offers(repo: str, versions: Sequence[dict[str, Any]], root: Path) -> list[WayBackOffer]:
    """What is on disk beside the release that is pinned, the newest deploy first. Nobody is asked.

    Args:
        versions: the history of the repo, newest first.
        root: the master's directory for deploys.
    """
    pins = Pins(root)
    pin, held = pins.get(repo), pins.holdings(repo)
    ours = {host: each for host, each in held.items() if pin is not None and host in pin.hosts}
    there = Counter(commit for each in ours.values() for commit in each.held)
    before = lineage(repo, versions).before
    found: dict[str, WayBackOffer] = {}
    for version in versions:
        commit = version["commit"]
        is_pinned = pin is not None and commit == pin.release.commit
        if is_pinned or commit in found or not there[commit] or not version["accepted"]:
            continue
        is_before = before is not None and before.commit == commit
        found[commit] = WayBackOffer(
            version["tag"], there[commit], len(ours), version["time"], version["bad"], is_before
        )
    return list(found.values())[:_MOST]
