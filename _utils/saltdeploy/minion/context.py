"""What a target is, and what it can do through Salt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saltdeploy.checks import Response
from saltdeploy.config import Repo
from saltdeploy.content.payloads import Downloader
from saltdeploy.download.swarm.client import SwarmAccess
from saltdeploy.protocol.orders import Order


def _no_web(url: str, headers: Mapping[str, str], timeout: float) -> Response:
    return Response(0, body="this host was given nothing to ask web servers with")


@dataclass(frozen=True)
class Host:
    """One host.

    Attributes:
        name: the minion's id.
        cache: a directory that survives restarts.
        carrier: brings payloads from the master.
        send: sends an event to the master.
        call: calls a Salt function: ``call(name, arguments, keywords)``.
        clock: seconds since the epoch.
        get: asks a web server: ``get(url, headers, timeout in seconds)``.
        ca_bundle: a file with the authorities that servers' certificates may be signed by; "" for the system's.
        pins: repo to the commit that the master has pinned for this host.
        place: where it stands in swarms.
    """

    name: str
    cache: Path
    carrier: Downloader
    send: Callable[[str, dict[str, Any]], object]
    call: Callable[[str, list[Any], dict[str, Any]], Any]
    clock: Callable[[], float]
    get: Callable[[str, Mapping[str, str], float], Response] = _no_web
    ca_bundle: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    place: SwarmAccess = SwarmAccess()

    def pinned(self, repo: str) -> tuple[str, ...]:
        """The commits of a repo that this host may be wanted to go to by itself."""
        return tuple(filter(None, [self.pins.get(repo, "")]))


@dataclass(frozen=True)
class Task:
    """See the module. A stage may be about several; they are done as one.

    Attributes:
        moved: what the pillar says otherwise now than when the deploy began, for people.
    """

    order: Order
    repo: Repo
    moved: str = ""
