"""What the pillar says about *where* payloads come from: fanouts, and what a transfer must keep to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import policy
from saltdeploy.errors import BadName
from saltdeploy.policy import Wrong
from saltdeploy.sources import check_url

#: Stands in a fanout's URL for the id of the minion that serves.
HOST = "__HOST__"


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
class Supply:
    """How a target comes by payloads.

    Attributes:
        fanouts: who serves besides the master.
        site: this host's grain ``site``.
        place: where this host keeps payloads for others and for later; None: below the minion's cache directory.
        rate: bytes per second at most; 0: as many as come.
        jitter: seconds, of which each host waits a random part before it asks a fanout.
        nice: the niceness of a fetch, 0 to 19; above 0 its disk accesses are of the lowest best-effort class too.
    """

    fanouts: tuple[Fanout, ...] = ()
    site: str = ""
    place: Path | None = None
    rate: int = 0
    jitter: float = 0.0
    nice: int = 0


def fanouts(value: Any) -> tuple[Fanout, ...]:
    """The list of fanouts.

    Raises:
        Wrong: it cannot be meant.
    """
    if not isinstance(value, (list, tuple)):
        raise Wrong("must be a list of tables")
    return tuple(_fanout(entry, number) for number, entry in enumerate(value))


def _fanout(entry: Any, number: int) -> Fanout:
    read = policy.table(entry, _FANOUT, required=("url",), path=(number,))
    if "targets_type" in read and "targets" not in read:
        raise Wrong("says how to read `targets`, and that is not set", number, "targets_type")
    if (HOST in read["url"]) is not ("targets" in read):
        raise Wrong(f"{HOST} in url stands for a minion of targets: set both or neither", number)
    return Fanout(**read)


def transfer(value: Any) -> dict[str, Any]:
    """The table of what a transfer keeps to: ``rate``, ``jitter``, ``nice``.

    Raises:
        Wrong: it cannot be meant.
    """
    return policy.table(value, _TRANSFER, required=(), path=())


def supply(deployment: dict[str, Any], repo: dict[str, Any], site: str) -> Supply:
    """What holds for one repo: its own fanouts stand before those for all."""
    place = deployment["payload_dir"]
    named = (*repo["fanouts"], *deployment["fanouts"])
    return Supply(named, site, Path(place) if place else None, **deployment["transfer"])


def _url(value: Any) -> str:
    try:
        check_url(policy.text(value).replace(HOST, "host"))
    except BadName as error:
        raise Wrong(error.cause) from None
    return str(value).rstrip("/")


def whole(least: int, most: int) -> Callable[[Any], int]:
    """A check: a whole number in this range."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Wrong(f"must be a whole number from {least} to {most}")
        return value

    return check


_FANOUT = {
    "url": _url,
    "site": policy.text,
    "targets": policy.text,
    "targets_type": policy.one_of(*policy.TARGET_TYPES),
}
_TRANSFER = {"rate": whole(1024, 1 << 40), "jitter": policy.seconds(), "nice": whole(0, 19)}
