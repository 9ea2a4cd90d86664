"""What the master's side needs of the world: Salt, the clock, a store, checks, people who watch. Passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saltdeploy import events
from saltdeploy.checks import Place
from saltdeploy.master.fleet import Bus
from saltdeploy.master.store import Store
from saltdeploy.payloads import Payloads


class Watcher(Protocol):
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
        place: where checks of the master run.
        aborted: "" or why this process shall stop its deploy.
        watchers: read the events.
        interface: the address at which the master listens.
    """

    root: Path
    bus: Bus
    store: Store
    targets: Callable[[str, str], list[str]]
    accepted: Callable[[], list[str]]
    secret: Callable[[str], str]
    user: str
    place: Place
    aborted: Callable[[], str] = lambda: ""
    watchers: tuple[Watcher, ...] = ()
    interface: str = "0.0.0.0"

    @property
    def payloads(self) -> Payloads:
        """Packed files, as targets get them."""
        return Payloads(self.root / "payloads")
