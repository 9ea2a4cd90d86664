"""Payloads come to a host before anybody deploys them: to a fanout, which serves them, or to a target, for later.

No release is touched, nothing is switched, and no deploy waits for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.content.payloads import Payloads
from saltdeploy.download.failover import Failover
from saltdeploy.lib import disk, flock, priority
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.minion import downloads
from saltdeploy.minion.context import Host
from saltdeploy.minion.progress import Reporter
from saltdeploy.minion.record import Record
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.protocol.release import file_name
from saltdeploy.protocol.result import Result


def preseed(order: Order, repo: Repo, host: Host) -> Result:
    """See to it that every payload of the order is on this host's shelf, whole. What is there is not fetched again.

    Args:
        order: checked; its release is of ``repo``.
    """
    begin = host.clock()
    with flock.locked(Record(host.cache, repo.name).preseeding, wait=True):
        try:
            with priority.gentle(repo.delivery.nice):
                facts = _fetch_all(order, repo, host)
        except DeployError as error:
            return _failed(order, host, error)
        except OSError as error:
            return _failed(order, host, from_os(error))
    return Result.of(order, host.name, facts={**facts, "seconds": round(host.clock() - begin, 3)})


def _fetch_all(order: Order, repo: Repo, host: Host) -> dict[str, Any]:
    repo = downloads.booking(repo, host)
    place = downloads.place(repo, host)
    if not place.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o711)  # whatever our umask: a web server reads by name, and nobody lists
    shelf = Payloads(place)
    downloads.tidy(order, repo, host)
    lacking = [payload for payload in order.payloads if not shelf.is_whole(payload)]
    disk.refuse_without_space(place, sum(payload.size for payload in lacking))
    incoming = place / f".incoming.{file_name(repo.name)}"
    carrier = Failover(
        downloads.DownloadSources(order, repo, host), incoming / "partial", downloads.names(order)
    )
    report = Reporter(order, host.name, host.send, host.clock)
    for payload in lacking:
        _keep(payload, carrier, shelf, incoming, report)
    disk.remove_tree(incoming)
    return {"bytes": 0, **carrier.facts(), "payloads": len(order.payloads), "new": len(lacking)}


def _keep(payload: Payload, carrier: Failover, shelf: Payloads, incoming: Path, report: Reporter) -> None:
    incoming.mkdir(exist_ok=True, mode=0o700)
    aside = incoming / payload.sha256
    carrier.fetch(payload, aside, report)
    shelf.add(payload, aside)


def _failed(order: Order, host: Host, error: DeployError) -> Result:
    placed = error.at(repo=order.release.repo, host=host.name)
    return Result.of(order, host.name, status=placed.status, error=placed)
