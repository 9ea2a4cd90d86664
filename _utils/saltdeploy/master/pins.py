"""What the master knows of a repo between deploys: the pin, and what each host was last seen to hold.

The pin reaches minions through the ext_pillar ``deploy_pins``; it is what they converge to by themselves.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import disk
from saltdeploy.orders import FETCH, Holdings, Order, Result
from saltdeploy.release import Release, file_name

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Pin:
    """The release that a repo's targets should be running.

    Attributes:
        order: a fetch order for it, with the payloads that were packed; its epoch is that of the last deploy
            that ended, so that a host never converges backwards during a later one.
        hosts: the targets when it was pinned.
    """

    order: Order
    hosts: tuple[str, ...]

    @property
    def release(self) -> Release:
        """What is pinned."""
        return self.order.release


class Pins:
    """The pins and the last known holdings below one directory of the master."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, repo: str) -> Pin | None:
        """The repo's pin; None before the first deploy."""
        found = disk.read_json(self._file("pins", repo))
        return Pin(Order.from_wire(found["order"]), tuple(found["hosts"])) if found else None

    def put(self, pin: Pin) -> None:
        """Write the pin, durably."""
        self._write("pins", pin.release.repo, {"order": pin.order.to_wire(), "hosts": list(pin.hosts)})

    def raise_epoch(self, repo: str, epoch: int) -> None:
        """A deploy ended without a new pin: hosts that have seen its epoch may converge to the old one again."""
        pin = self.get(repo)
        if pin is not None:
            order = {**pin.order.to_wire(), "epoch": epoch}
            self.put(Pin(Order.from_wire(order), pin.hosts))

    def seen(self, repo: str) -> dict[str, dict[str, Any]]:
        """Host to ``{"holdings": ..., "time": epoch seconds}``, as each was last seen."""
        return disk.read_json(self._file("hosts", repo)) or {}

    def note(self, repo: str, results: list[Result], now: float) -> None:
        """Remember what hosts answered that they hold."""
        fresh = {r.host: {"holdings": r.holdings.to_wire(), "time": now} for r in results}
        if fresh:
            self._write("hosts", repo, {**self.seen(repo), **fresh})

    def holdings(self, repo: str) -> dict[str, Holdings]:
        """Host to what it was last seen to hold."""
        return {host: Holdings.from_wire(entry["holdings"]) for host, entry in self.seen(repo).items()}

    def payload_names(self) -> set[str]:
        """The digests of all payloads that pins offer."""
        names = set()
        for path in (self._root / "pins").glob("*.json"):
            found = disk.read_json(path)
            names |= {payload["sha256"] for payload in found["order"]["payloads"]}
        return names

    def repos(self) -> list[str]:
        """The names of all repos that have a pin."""
        orders = (disk.read_json(path) for path in (self._root / "pins").glob("*.json"))
        return sorted(found["order"]["release"]["repo"] for found in orders)

    def _file(self, kind: str, repo: str) -> Path:
        return self._root / kind / f"{file_name(repo)}.json"

    def _write(self, kind: str, repo: str, value: dict[str, Any]) -> None:
        path = self._file(kind, repo)
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_json(path, value)


def pin_order(order: Order, epoch: int) -> Order:
    """The order that a pin hands to hosts: the deploy's fetch order, under the id ``pin``."""
    return Order("pin", epoch, FETCH, order.release, order.transport, order.payloads)


def master_secret(root: Path) -> bytes:
    """The master's secret, from which each host's is made; created at first use, readable by the owner only."""
    path = root / "secret"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        root.mkdir(parents=True, exist_ok=True)
    aside = root / f".secret.{secrets.token_hex(4)}"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)  # two makers at once: one wins, both read the winner's
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    disk.fsync_dir(root)
    return path.read_bytes()
