"""What the pillar says about *where* payloads come from: fanouts, and what a transfer must keep to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.config import targets, transports, values
from saltdeploy.config.values import Wrong, whole
from saltdeploy.lib.errors import BadName
from saltdeploy.protocol.fanout import check_url

#: Stands in a fanout's URL for the id of the minion that serves.
HOST = "__HOST__"
#: Stands in the table of links for all sites that it does not name.
DEFAULT = "default"


@dataclass(frozen=True)
class Fanout:
    """One server of payloads, or several minions with that role.

    Attributes:
        url: the base of its URLs; holds :data:`HOST` where minions serve.
        site: where it stands; compared with the grain ``site`` of targets.
        targets, targets_type: Salt's target expression for the minions that serve; "" for a server that is none.
    """

    url: str
    site: str = ""
    targets: str = ""
    targets_type: str = "compound"


@dataclass(frozen=True)
class Link:
    """The way from the master to one host of a site.

    Attributes:
        rate: bytes per second.
        rtt: seconds until an answer comes.
    """

    rate: float = 100_000_000.0
    rtt: float = 0.0005


@dataclass(frozen=True)
class Swarming:
    """What hosts keep to that take part in swarms, and the master too.

    Attributes:
        wanted: whether the repo's payloads travel by swarm.
        ports: the first and the last TCP port; each takes the first of them that is free.
        upload: bytes per second that each gives at most; 0: as many as are wanted.
        least: bytes; a smaller payload travels as without a swarm.
    """

    wanted: bool = False
    ports: tuple[int, int] = (6881, 6889)
    upload: int = 0
    least: int = 4 << 20


@dataclass(frozen=True)
class Delivery:
    """How a target comes by payloads.

    Attributes:
        transport: a name of :mod:`saltdeploy.transports`; whether payloads travel by swarm is said in ``swarm``.
        fanouts: who serves besides the master.
        site: this host's grain ``site``.
        place: where this host keeps payloads for others and for later; None: below the minion's cache directory.
        rate: bytes per second at most, of all transfers of a host together; 0: as many as come.
        fleet_rate: bytes per second at most, of all hosts that fetch at once in a deploy; 0: as many as come.
        jitter: seconds, of which each host waits a random part before it asks a fanout.
        links: site to the way to its hosts, for ``transport: auto``.
        nice: the niceness of a fetch, 0 to 19; above 0 its disk accesses are of the lowest best-effort class too.
        swarm: what holds for swarms.
        booked: the file in which this host's transfers book what they take of ``rate``; None: each is alone.
    """

    transport: str = transports.DEFAULT
    fanouts: tuple[Fanout, ...] = ()
    site: str = ""
    place: Path | None = None
    rate: int = 0
    fleet_rate: int = 0
    jitter: float = 0.0
    nice: int = 0
    links: Mapping[str, Link] = field(default_factory=dict)
    swarm: Swarming = Swarming()
    booked: Path | None = None

    @property
    def at_once(self) -> int:
        """How many hosts may fetch at once, so that together they keep to what the fleet may take; 0: any number."""
        return self.fleet_rate // self.rate if self.fleet_rate else 0

    @property
    def link(self) -> Link:
        """The way to a host whose site has none of its own: that of the site ``default``, else a fast network."""
        return self.links.get(DEFAULT, Link())


def fanouts(value: Any) -> tuple[Fanout, ...]:
    """The list of fanouts.

    Raises:
        Wrong: it is not valid.
    """
    if not isinstance(value, (list, tuple)):
        raise Wrong("must be a list of tables")
    return tuple(_fanout(entry, number) for number, entry in enumerate(value))


def _fanout(entry: Any, number: int) -> Fanout:
    read = values.table(entry, _FANOUT, required=("url",), path=(number,))
    if "targets_type" in read and "targets" not in read:
        raise Wrong("says how to read `targets`, and that is not set", number, "targets_type")
    if (HOST in read["url"]) is not ("targets" in read):
        raise Wrong(f"{HOST} in url stands for a minion of targets: set both or neither", number)
    return Fanout(**read)


def transfer(value: Any) -> dict[str, Any]:
    """The table of what a transfer keeps to: ``rate``, ``fleet_rate``, ``jitter``, ``nice``.

    Raises:
        Wrong: it is not valid.
    """
    read = values.table(value, _TRANSFER)
    if "fleet_rate" in read and read["fleet_rate"] < read.get("rate", 1 << 41):
        raise Wrong("needs a `rate` for each host, and must not be below it", "fleet_rate")
    return read


def swarm(value: Any) -> dict[str, Any]:
    """The table of what swarms keep to: ``ports``, ``upload``, ``least``.

    Raises:
        Wrong: it is not valid.
    """
    return values.table(value, _SWARM, required=(), path=())


def delivery(deployment: dict[str, Any], repo: dict[str, Any], site: str) -> Delivery:
    """What holds for one repo: its own fanouts stand before those for all.

    Args:
        deployment, repo: checked values of ``deployment_config`` and of the repo's section.
        site: this host's grain ``site``.
    """
    transport, by_swarm = transports.split(repo["transport"])
    place = deployment["payload_dir"]
    return Delivery(
        transport=transport,
        fanouts=(*repo["fanouts"], *deployment["fanouts"]),
        site=site,
        place=Path(place) if place else None,
        links=deployment["links"],
        swarm=Swarming(by_swarm, **deployment["swarm"]),
        **deployment["transfer"],
    )


def links(value: Any) -> dict[str, Link]:
    """The table of sites, each with ``rate`` and ``rtt``.

    Raises:
        Wrong: it is not valid.
    """
    found = {}
    for site, entry in values.table_of_any(value).items():
        if not _SITE.fullmatch(site):
            raise Wrong("must be the name of a site: letters, digits, and . _ - within", site)
        found[site] = Link(**values.table(entry, _LINK, path=(site,)))
    return found


def _ports(value: Any) -> tuple[int, int]:
    first, dash, last = (str(value) if isinstance(value, (str, int)) else "").partition("-")
    try:
        ports = int(first), int(last if dash else first)
    except ValueError:
        ports = 0, 0
    if not 0 < ports[0] <= ports[1] < 1 << 16:
        raise Wrong("must be two ports with a dash between them, such as 6881-6889")
    return ports


def _url(value: Any) -> str:
    try:
        check_url(values.text(value).replace(HOST, "host"))
    except BadName as error:
        raise Wrong(error.cause) from None
    return str(value).rstrip("/")


def _quantity(units: dict[str, float], least: float, most: float, meant: str) -> Callable[[Any], float]:
    """A check: a number, alone or with one of these units behind it."""

    def check(value: Any) -> float:
        parts = _QUANTITY.fullmatch(str(value)) if not isinstance(value, bool) else None
        factor = units.get(parts[2]) if parts else None
        number = float(parts[1]) * factor if parts and factor else 0.0
        if not least <= number <= most:
            raise Wrong(f"must be {meant}")
        return number

    return check


_SITE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")  # it stands in a target expression
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,2})")
_SIZES = {"": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}
_LINK = {
    "rate": _quantity(_SIZES, 1024, 1e12, "bytes per second: 12500000, or 12.5MB"),
    "rtt": _quantity({"": 1.0, "s": 1.0, "ms": 1e-3}, 1e-6, 60, "a time up to a minute: 0.04, or 40ms"),
}
_FANOUT = {
    "url": _url,
    "site": values.text,
    "targets": values.text,
    "targets_type": values.one_of(*targets.TARGET_TYPES),
}
_SWARM = {"ports": _ports, "upload": whole(1024, 1 << 40), "least": whole(0, 1 << 40)}
_TRANSFER = {
    "rate": whole(1024, 1 << 40),
    "fleet_rate": whole(1024, 1 << 40),
    "jitter": values.seconds(),
    "nice": whole(0, 19),
}
