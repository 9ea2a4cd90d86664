"""What a host goes to by itself: what it is pinned to, the release before, or one that is whole on its disk."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.lib.errors import DeployError, NothingToRollBackTo
from saltdeploy.minion.context import Host
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release


def newest_pin(told: Mapping[str, Any], repo: str, host: Host) -> Mapping[str, Any]:
    """What this host is to run: as its pillar tells it, or as a deploy has brought it since; {} when neither knows.

    Args:
        told: the pillar's pin of the repo: ``tag``, ``commit`` and ``order``; {} when there is none.
    """
    own: Mapping[str, Any] = {}
    with contextlib.suppress(DeployError, OSError):  # a record that cannot be read: the next stage says so
        own = Record(host.cache, repo).pinned()
    return max(told, own, key=lambda pin: pin["order"]["epoch"] if pin else -1)  # of equal ones the pillar's


def previous(repo: Repo) -> Release:
    """The release that was live before the present one and is still whole on disk.

    Raises:
        NothingToRollBackTo: there is none.
    """
    holdings = layouts.of(repo).holdings()
    if not holdings.previous:
        raise NothingToRollBackTo(
            "no earlier release is on disk",
            repo=repo.name,
            path=str(repo.paths.location),
            next=f"salt-run deploy.rollback repo={repo.name} brings the release before again, from the master",
        )
    return Release(repo.name, holdings.tags.get(holdings.previous) or "unknown", holdings.previous)


def order_from_disk(tag: str, repo: Repo, host: Host, group: str = "") -> Order | None:
    """An order for a release that is whole on this host's disk, found by its tag; None when it is not.

    Args:
        group: the group that the host is in.
    """
    for commit, name in layouts.of(repo).holdings().tags.items():
        if name == tag:
            release = Release(repo.name, tag, commit)
            transport = config_transports.usual(repo.delivery.transport, repo.layout.name)
            seal = Record(host.cache, repo.name).seal_of(release)
            return Order(
                "pin",
                Record(host.cache, repo.name).epoch(),
                FETCH,
                release,
                transport,
                group=group,
                seal=seal,
            )
    return None
