"""Who brings payloads to this host: its own shelf, then fanouts, the nearest first, then the master."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from saltdeploy.carriers import nearest
from saltdeploy.carriers.fanout import Fanout, Supplier
from saltdeploy.carriers.http import Http
from saltdeploy.carriers.pace import Limits
from saltdeploy.carriers.shelf import Shelf
from saltdeploy.config import Repo
from saltdeploy.errors import Unavailable
from saltdeploy.orders import Order, Payload
from saltdeploy.payloads import Payloads
from saltdeploy.repository import Progress
from saltdeploy.sources import Source
from saltdeploy.target.host import Host
from saltdeploy.target.record import Record

#: What facts and events call these two.
HERE, MASTER = "here", "master"


def carrier(order: Order, repo: Repo, host: Host) -> Fanout:
    """The carrier for one stage of one repo."""
    return Fanout(
        lambda payload: suppliers(payload, order.sources, repo, host), Record(host.cache, repo.name).partial
    )


def place(repo: Repo, host: Host) -> Path:
    """Where this host keeps payloads: for others if it is a fanout, and for itself when it was preseeded."""
    return repo.supply.place or host.cache / "payloads"


def suppliers(payload: Payload, sources: Sequence[Source], repo: Repo, host: Host) -> Iterator[Supplier]:
    """All who may have the payload, in the order in which this host asks them."""
    kept = Payloads(place(repo, host))
    if kept.path(payload.sha256) is not None:
        yield Supplier(HERE, "preseeded", Shelf(kept))
    others = [source for source in sources if source.host != host.name]
    if others:
        time.sleep(random.uniform(0, repo.supply.jitter))
    trips = nearest.round_trips(others)
    for source, trip in trips.items():
        if trip is None:
            yield Supplier(source.url, "", _Silent())
    limits = Limits(rate=repo.supply.rate)
    for choice in nearest.arrange(others, trips, host.name, repo.supply.site):
        yield Supplier(choice.source.url, choice.why, Http(choice.source, limits, host.ca_bundle))
    yield Supplier(MASTER, "the last resort" if others else "no fanout is named", host.carrier)


class _Silent:
    """A source that took no connection: it is noted as left, and nobody waits for it again."""

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        raise Unavailable("took no connection")
