"""How a release's objects get into a target's store; one file per name that an operator can write as ``transport:``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from saltdeploy.carriers import Carrier
from saltdeploy.config import Repo
from saltdeploy.errors import ConfigError
from saltdeploy.orders import Order, Payload
from saltdeploy.payloads import Payloads
from saltdeploy.repository import Progress, Repository, Tag
from saltdeploy.transports.bundle import Bundle
from saltdeploy.transports.git import Git


@dataclass(frozen=True)
class Arrival:
    """Where a release arrives on a target: configuration, object store, carrier, room for files on the way."""

    repo: Repo
    store: Repository
    carrier: Carrier
    incoming: Path


class Transport(Protocol):
    """pack() on the master faces unpack() on a target."""

    def pack(self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str) -> Payload | None:
        """Make what a host that holds ``base`` (or "") needs; None when targets need nothing of the master."""

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> dict[str, Any]:
        """Bring the order's release into the store, where it is then held and verified to be that commit.

        Returns:
            Facts: ``bytes`` received.

        Raises:
            NoBase: no payload of the order fits what the store holds.
            Unavailable, Corrupt, DiskFull: nothing has changed for anybody.
        """


_TABLE: dict[str, Transport] = {"bundle": Bundle(), "git": Git()}


def of(name: str) -> Transport:
    """The transport of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in _TABLE:
        raise ConfigError(f"there is no transport {name[:40]!r}", next=f"choose one of {', '.join(_TABLE)}")
    return _TABLE[name]
