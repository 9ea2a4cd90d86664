"""How a release gets to a target; one file per name that an operator can write as ``transport:``.

``bundle`` and ``git`` bring a commit with everything in it into the target's store. The others bring the commit and its
trees, which is little, and the contents of files apart from that.
"""

from __future__ import annotations

from typing import Protocol

from saltdeploy.config import rollout
from saltdeploy.content.payloads import Payloads
from saltdeploy.git.repository import Progress, Repository, Tag
from saltdeploy.lib.errors import ConfigError
from saltdeploy.protocol import swarm
from saltdeploy.protocol.orders import Order, Payload
from saltdeploy.transports.base import Arrival, Brought
from saltdeploy.transports.bundle import Bundle
from saltdeploy.transports.delta import Delta
from saltdeploy.transports.git import Git
from saltdeploy.transports.rsync import Rsync
from saltdeploy.transports.squashfs import Squashfs
from saltdeploy.transports.tar import Tar


class Transport(Protocol):
    """pack() on the master faces unpack() on a target."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the payloads that it packs."""

    @property
    def programs(self) -> tuple[str, ...]:
        """What a host runs for it besides git."""

    @property
    def packers(self) -> tuple[str, ...]:
        """What the master runs for it besides git."""

    def pack(
        self, payloads: Payloads, source: Repository, repo: str, tag: Tag, base: str
    ) -> tuple[Payload, ...]:
        """Make what a host that holds ``base`` (or "") needs of the master; nothing where targets fetch by themselves."""

    def unpack(self, order: Order, arrival: Arrival, progress: Progress) -> Brought:
        """Bring the order's release: commit and trees, bound to the commit id, and a source of its contents.

        Raises:
            NoBase: no payload of the order fits what the host holds.
            Unavailable, Corrupt, DiskFull: nothing has changed for anybody.
        """


_TABLE: dict[str, Transport] = {
    "bundle": Bundle(),
    "git": Git(),
    "tar": Tar(),
    "delta": Delta(),
    "rsync": Rsync(),
    "squashfs": Squashfs(),
}


def of(name: str) -> Transport:
    """The transport of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in _TABLE:
        known = ", ".join((*rollout.TRANSPORTS, *swarm.TRANSPORTS))
        raise ConfigError(f"there is no transport {name[:40]!r}", next=f"choose one of {known}")
    return _TABLE[name]


__all__ = ["Arrival", "Brought", "Transport", "of"]
