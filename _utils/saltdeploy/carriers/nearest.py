"""Which source is asked first, and why: its site, then its measured round trip, then chance that is the same each time.

Round trips that differ by less than a factor of two count as equal: what is left of them is noise, and hosts that all
follow the noise would all ask one server. Among equals each host has an order of its own, made of a digest over
both names (rendezvous hashing, Thaler and Ravishankar 1998), so the load is even and a host keeps to its source.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from saltdeploy.carriers.http import PORTS
from saltdeploy.sources import Source

_PATIENCE = 1.0  # seconds to take a connection; who needs longer is no near source
_AT_ONCE = 32
_ADDRESSES = 3  # of one name: a server may have an address of a family that leads nowhere
_EQUAL = 0.001  # seconds: round trips up to this long are all the same


@dataclass(frozen=True)
class Choice:
    """A source that answers, and why it stands where it does among the others."""

    source: Source
    why: str


def round_trips(sources: Sequence[Source], patience: float = _PATIENCE) -> dict[Source, float | None]:
    """Seconds that each source takes to accept a connection; None for one that does not in time."""
    if not sources:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(sources))) as pool:
        trips = pool.map(lambda source: _round_trip(source, patience), sources)
        return dict(zip(sources, trips, strict=True))


def arrange(
    sources: Sequence[Source], trips: Mapping[Source, float | None], host: str, site: str
) -> list[Choice]:
    """The sources that answered, in the order in which a host should ask them.

    Args:
        host: the host that asks.
        site: its grain ``site``, or "".
    """
    answering = [source for source in sources if trips.get(source) is not None]

    def rank(source: Source) -> tuple[bool, int, bytes]:
        drawn = hashlib.sha256(f"{host} {source.url}".encode()).digest()
        return not _same(source, site), _distance(trips[source] or 0.0), drawn

    return [
        Choice(source, _why(source, site, trips[source] or 0.0)) for source in sorted(answering, key=rank)
    ]


def _why(source: Source, site: str, trip: float) -> str:
    near = "same site, " if _same(source, site) else ""
    return f"{near}{trip * 1000:.1f} ms"


def _same(source: Source, site: str) -> bool:
    return bool(site) and source.site == site


def _distance(trip: float) -> int:
    return math.ceil(math.log2(trip / _EQUAL)) if trip > _EQUAL else 0


def _round_trip(source: Source, patience: float) -> float | None:
    parts = source.parts
    port = parts.port or PORTS[parts.scheme]
    try:
        addresses = [found[4] for found in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):  # a name that is none
        return None
    for address in addresses[:_ADDRESSES]:
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            socket.create_connection((str(address[0]), port), patience).close()
            return time.monotonic() - begin
    return None
