"""Which source is asked first, and why: its site, then its measured round trip, then whether it is busy, then turns.

Round trips that differ by less than a factor of two count as equal: what is left of them is noise, and hosts that all
follow the noise would all ask one server. For the same reason a server is busy or it is not: how long one takes to
answer that serves others just now differs from one moment to the next by more than from server to server. Equals are
taken by turns, by the number that the master gave to the host. Where it gave none, each host has an order of its own,
made of a digest over both names (rendezvous hashing, Thaler and Ravishankar 1998): even in the long run, and a host
keeps to its source.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from saltdeploy.protocol.fanout import FanoutServer

_PATIENCE = 1.0  # seconds to take a connection; who needs longer is no near source
_AT_ONCE = 32
_ADDRESSES = 3  # of one name: a server may have an address of a family that leads nowhere
_EQUAL = 0.001  # seconds: round trips up to this long are all the same
_BUSY = 0.25  # seconds; an idle server answers within a few milliseconds, an overloaded one within tenths of a second


@dataclass(frozen=True)
class Trip:
    """How a source took a connection.

    Attributes:
        seconds: until it did.
        busy: it gave no answer to a request soon after.
    """

    seconds: float
    busy: bool = False


@dataclass(frozen=True)
class Choice:
    """A source that answers, and why it stands where it does among the others."""

    source: FanoutServer
    why: str


def round_trips(
    sources: Sequence[FanoutServer], patience: float = _PATIENCE
) -> dict[FanoutServer, Trip | None]:
    """How each source takes a connection; None for one that does not within ``patience`` seconds."""
    if not sources:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(sources))) as pool:
        trips = pool.map(lambda source: _round_trip(source, patience), sources)
        return dict(zip(sources, trips, strict=True))


def arrange(
    sources: Sequence[FanoutServer],
    trips: Mapping[FanoutServer, Trip | None],
    host: str,
    site: str,
    turn: int | None = None,
) -> list[Choice]:
    """The sources that answered, in the order in which a host should ask them.

    Args:
        host: the host that asks.
        site: its grain ``site``, or "".
        turn: its number among the hosts that ask; None where the master gave it none.
    """
    answering = {source: trip for source in sources if (trip := trips.get(source)) is not None}
    distances = _distances(trip.seconds for trip in answering.values())

    def nearness(source: FanoutServer) -> tuple[bool, int]:
        return not _same(source, site), distances[answering[source].seconds]

    choices = []
    for _, those in itertools.groupby(sorted(answering, key=nearness), nearness):
        near = list(those)
        busy = [source for source in near if answering[source].busy]
        for equals in ([source for source in near if source not in busy], busy):
            ordered = _drawn(equals, host) if turn is None else _by_turn(equals, turn)
            how = _how(len(equals), len(busy), drawn=turn is None, is_busy=equals is busy)
            choices += [Choice(each, _where(each, site, answering[each]) + how) for each in ordered]
    return choices


def _drawn(equals: list[FanoutServer], host: str) -> list[FanoutServer]:
    return sorted(equals, key=lambda source: hashlib.sha256(f"{host} {source.url}".encode()).digest())


def _by_turn(equals: list[FanoutServer], turn: int) -> Iterator[FanoutServer]:
    """Each turn has another first one; those that have the same first one take turns at the second one, and so on."""
    left = sorted(equals, key=lambda source: source.url)
    while left:
        turn, place = divmod(turn, len(left))
        yield left.pop(place)


def _where(source: FanoutServer, site: str, trip: Trip) -> str:
    near = "same site, " if _same(source, site) else ""
    return f"{near}{trip.seconds * 1000:.1f} ms"


def _how(equals: int, busy: int, *, drawn: bool, is_busy: bool) -> str:
    """Why one of so many equals, when so many that are as near are busy."""
    among = f", {'drawn' if drawn else 'its turn'} among {equals}" if equals > 1 else ""
    if is_busy:
        return f", busy{among}"
    return among + (f", {busy} more as near, but busy" if busy else "")


def _same(source: FanoutServer, site: str) -> bool:
    return bool(site) and source.site == site


def _distances(trips: Iterable[float]) -> dict[float, int]:
    """Seconds to a number that those have in common who are equally near."""
    found: dict[float, int] = {}
    number, equal = -1, -1.0
    for seconds in sorted(trips):
        if seconds > equal:
            number, equal = number + 1, max(_EQUAL, 2 * seconds)
        found[seconds] = number
    return found


def _round_trip(source: FanoutServer, patience: float) -> Trip | None:
    try:
        found = socket.getaddrinfo(source.parts.hostname, source.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a name that is none
        return None
    for *_, address in found[:_ADDRESSES]:
        with contextlib.suppress(OSError):
            return _trip_to(source, (str(address[0]), source.port), patience)
    return None


def _trip_to(source: FanoutServer, address: tuple[str, int], patience: float) -> Trip:
    """The better of two: a host that begins many things at once may be slow itself at the first."""
    begin = time.monotonic()
    socket.create_connection(address, patience).close()
    first = time.monotonic()
    with socket.create_connection(address, patience) as connection:
        seconds = min(first - begin, time.monotonic() - first)
        return Trip(seconds, busy=not _answers(connection, source, _BUSY + 2 * seconds))


def _answers(connection: socket.socket, source: FanoutServer, patience: float) -> bool:
    """Whether it answers soon, whatever it says: what is asked for is no payload."""
    connection.settimeout(patience)
    try:
        if source.parts.scheme != "https":
            return _is_heard(connection, source)
        with _UNVERIFIED.wrap_socket(connection, server_hostname=source.parts.hostname) as encrypted:
            return _is_heard(encrypted, source)
    except (OSError, ValueError):  # the latter for a name that TLS cannot ask for
        return False


def _is_heard(connection: socket.socket, source: FanoutServer) -> bool:
    path, host = source.parts.path, source.parts.netloc.rpartition("@")[2]
    connection.sendall(f"HEAD {path}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    return bool(connection.recv(1))


def _unverified() -> ssl.SSLContext:
    """For a question of which nothing but the time counts; whoever fetches looks at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_UNVERIFIED = _unverified()
