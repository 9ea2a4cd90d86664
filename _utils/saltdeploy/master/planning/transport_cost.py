"""Which transport is the cheapest for a host: a reckoning with sizes, seconds and the link; no I/O.

What is not packed yet is reckoned with the least that it can be, and with the time that packing it takes. So it is
packed only where that could pay, and then its true size decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saltdeploy.config import transports
from saltdeploy.config.delivery import Link
from saltdeploy.lib.text import size

_TRIPS = 3  # round trips until a payload begins to come: a connection, perhaps encrypted, and a question
_NOTICED = 1.0  # seconds; what takes less is not worth a reckoning


@dataclass(frozen=True)
class Candidate:
    """One transport for one host.

    Attributes:
        transport: its name.
        size: bytes that the host would receive; where it is not packed yet, at least so many.
        payloads: how many files that is.
        is_packed: whether ``size`` is what it is.
        packing: seconds that the master still needs to pack it.
        unpacking: seconds that the host needs for it, beyond what it needs for a bundle.
    """

    transport: str
    size: int
    payloads: int = 1
    is_packed: bool = True
    packing: float = 0.0
    unpacking: float = 0.0

    def seconds(self, link: Link) -> float:
        """What it costs until the host has the release, beyond what each transport costs."""
        return self.packing + self.coming(link) + self.unpacking

    def coming(self, link: Link) -> float:
        """How long the bytes take."""
        return _TRIPS * self.payloads * link.rtt + self.size / link.rate


def estimate(transport: str, files: int, bundle: int, trees: int) -> Candidate:
    """A candidate that is not packed yet.

    Args:
        files: bytes of all files of the release.
        bundle: bytes of the bundle for this host.
        trees: bytes of the trees, which travel apart from the contents.
    """
    cost = transports.cost(transport)
    size = trees + int(cost.share * (max(0, bundle - trees) if cost.from_base else files))
    return Candidate(transport, size, 2, False, cost.packing * files / 1e6, cost.unpacking * files / 1e6)


def packed(transport: str, received: int, payloads: int, files: int) -> Candidate:
    """A candidate that is packed.

    Args:
        received: bytes that the host would receive.
        files: bytes of all files of the release.
    """
    return Candidate(
        transport, received, payloads, unpacking=transports.cost(transport).unpacking * files / 1e6
    )


def could_pay(bundle: Candidate, link: Link) -> bool:
    """Whether anything can be cheaper than this bundle: packing and unpacking another one takes a while as well."""
    return bundle.coming(link) > _NOTICED


def cheapest(candidates: Sequence[Candidate], link: Link) -> Candidate:
    """The cheapest one; of equals the one that stands first."""
    return min(candidates, key=lambda candidate: candidate.seconds(link))


def why(chosen: Candidate, candidates: Sequence[Candidate], link: Link) -> str:
    """One line: what was chosen, and what rules out the others.

    >>> why(Candidate("bundle", 2300), [Candidate("bundle", 2300), Candidate("tar", 85_000_000, 2)], Link(1e6, 0.0))
    'auto: bundle, 2.3 KB (tar 85.0 MB)'
    """
    others = ", ".join(_against(each, link) for each in candidates if each.transport != chosen.transport)
    return f"auto: {chosen.transport}, {size(chosen.size)}{f' ({others})' if others else ''}"


def _against(candidate: Candidate, link: Link) -> str:
    """The greatest part of its cost."""
    least = "" if candidate.is_packed else "at least "
    worst = max(candidate.packing, candidate.coming(link), candidate.unpacking)
    if worst == candidate.packing and candidate.packing:
        said = f"{_told(candidate.packing)} of packing"
    elif worst == candidate.unpacking and candidate.unpacking:
        said = f"{_told(candidate.unpacking)} of unpacking"
    else:
        said = size(candidate.size)
    return f"{candidate.transport} {least}{said}"


def _told(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
