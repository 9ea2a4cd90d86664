"""What the master's side needs of the world: Salt, the clock, a store, checks, people who watch. Passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from saltdeploy.protocol import events

if TYPE_CHECKING:
    from saltdeploy.checks import CheckContext
    from saltdeploy.config import Repo
    from saltdeploy.content.payloads import Payloads
    from saltdeploy.master.cache import Store


class Listener(Protocol):
    """Somebody who reads the events of a deploy."""

    def hear(self, event: events.Event) -> None:
        """Take in one event."""

    def tick(self, now: float) -> None:
        """Time has passed."""


@dataclass(frozen=True)
class Master:
    """See the module.

    Attributes:
        root: the master's directory for deploys.
        bus: Salt's publisher and event bus.
        store: Salt's cache: locks that people hold, and the history.
        targets: ``(expression, type)`` to minion ids.
        accepted: all minions that the master knows.
        secret: host to the secret it signs its answers with; "" where the fleet has none.
        user: who deploys, as Salt knows them.
        role: by which they may; "" where no roles are configured, or who deploys needs none.
        place: where checks of the master run.
        aborted: "" or why this process shall stop its deploy.
        watchers: read the events.
        interface: the address at which the master listens.
        over_ssh: the hosts that are no minions.
        lacking: what of a repo's pillar those cannot do, in words.
        twice: minions that stand in the roster of those as well.
    """

    root: Path
    bus: Bus
    store: Store
    targets: Callable[[str, str], list[str]]
    accepted: Callable[[], list[str]]
    secret: Callable[[str], str]
    user: str
    place: CheckContext
    role: str = ""
    aborted: Callable[[], str] = lambda: ""
    watchers: tuple[Listener, ...] = ()
    interface: str = "0.0.0.0"
    over_ssh: frozenset[str] = frozenset()
    lacking: Callable[[Repo], list[str]] = lambda repo: []
    twice: tuple[str, ...] = ()

    @property
    def payloads(self) -> Payloads:
        """Packed files, as targets get them."""
        from saltdeploy.content import payloads  # who packs nothing needs neither that nor git

        return payloads.Payloads(self.root / "payloads")


class Bus(Protocol):
    """Salt, as far as the master's side needs it."""

    def new_jid(self) -> str:
        """A job id that was never used."""

    def publish(self, hosts: list[str], function: str, arguments: list[Any], jid: str) -> None:
        """Send a job to a list of minions, without waiting for anything."""

    def next(self, wait: float) -> tuple[str, dict[str, Any]] | None:
        """The next message on the event bus, ``(tag, data)``; None when ``wait`` seconds pass without one."""

    def fire(self, tag: str, data: dict[str, Any]) -> None:
        """Put an event on the bus."""

    def now(self) -> float:
        """Seconds since the epoch: for what is told and written down. Somebody may set this clock."""

    def elapsed(self) -> float:
        """Seconds since some moment, by a clock that nobody sets: for whatever is waited for."""
