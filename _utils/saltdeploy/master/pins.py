"""What the master knows of a repo between deploys: the pin, and what each host was last seen to hold.

The pin reaches minions through the ext_pillar ``deploy_pins``; it is what they converge to by themselves.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from saltdeploy import disk
from saltdeploy.holdings import Holdings
from saltdeploy.orders import FETCH, Order, Result
from saltdeploy.release import Release, file_name, repo_of

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Pin:
    """The release that targets should be running.

    Attributes:
        order: a fetch order for it, with the payloads that were packed; its epoch is that of the last deploy
            that ended, so that a host never converges backwards during a later one.
        hosts: the targets when it was pinned.
        partial: a limit left out others: they keep the pin that they had.
        transports: host to transport, of those that take another one than the order's.
    """

    order: Order
    hosts: tuple[str, ...]
    partial: bool = False
    transports: dict[str, str] = field(default_factory=dict)

    @property
    def release(self) -> Release:
        """What is pinned."""
        return self.order.release

    def to_wire(self) -> dict[str, Any]:
        """The pin as plain data."""
        return {
            "order": self.order.to_wire(),
            "hosts": list(self.hosts),
            "partial": self.partial,
            "transports": self.transports,
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Pin:
        """Rebuild a pin."""
        order, transports = Order.from_wire(data["order"]), dict(data.get("transports", {}))
        return cls(order, tuple(data["hosts"]), bool(data["partial"]), transports)


class Pins:
    """The pins and the last known holdings below one directory of the master."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def all(self, repo: str) -> list[Pin]:
        """The repo's pins: partial ones, the newest first, then the one for the whole fleet."""
        return [Pin.from_wire(entry) for entry in disk.read_json(self._file("pins", repo)) or []]

    def get(self, repo: str) -> Pin | None:
        """The pin for the whole fleet; None before the first deploy to all."""
        return next((pin for pin in self.all(repo) if not pin.partial), None)

    def of_host(self, repo: str, host: str) -> Pin | None:
        """What one host should be running; a host that no pin names takes the one for all."""
        return self.of_hosts(repo, [host])[host]

    def of_hosts(self, repo: str, hosts: Iterable[str]) -> dict[str, Pin | None]:
        """The same for many."""
        pins = self.all(repo)
        return {
            host: next((pin for pin in pins if not pin.partial or host in pin.hosts), None) for host in hosts
        }

    def put(self, pin: Pin) -> None:
        """Write a pin, durably. One for the whole fleet replaces all; a partial one takes its hosts from others."""
        kept: list[Pin] = []
        if pin.partial:
            for old in self.all(pin.release.repo):
                hosts = (
                    tuple(host for host in old.hosts if host not in pin.hosts) if old.partial else old.hosts
                )
                kept += [replace(old, hosts=hosts)] if hosts or not old.partial else []
        runs_it = pin.release in [old.release for old in kept if not old.partial]
        self._put(pin.release.repo, kept if runs_it else [pin, *kept])

    def replace_order(self, repo: str, host: str, order: Order) -> None:
        """Give the pin that counts for a host another order for the same release."""
        counts = self.of_host(repo, host)
        self._put(repo, [replace(pin, order=order) if pin == counts else pin for pin in self.all(repo)])

    def raise_epoch(self, repo: str, epoch: int) -> None:
        """A deploy ended: hosts that have seen its epoch may converge to the other pins again."""
        pins = self.all(repo)
        if pins:
            self._put(repo, [replace(pin, order=replace(pin.order, epoch=epoch)) for pin in pins])

    def _put(self, repo: str, pins: list[Pin]) -> None:
        self._write("pins", repo, [pin.to_wire() for pin in pins])

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

    def payload_names(self, repos: Collection[str] | None = None) -> set[str]:
        """The digests of all payloads that pins offer; of these repos' pins only, where they are said."""
        return {
            payload.sha256
            for repo in self.repos()
            if repos is None or repo in repos
            for pin in self.all(repo)
            for payload in pin.order.payloads
        }

    def repos(self) -> list[str]:
        """The names of all repos that have a pin."""
        return sorted(repo_of(path.stem) for path in (self._root / "pins").glob("*.json"))

    def _file(self, kind: str, repo: str) -> Path:
        return self._root / kind / f"{file_name(repo)}.json"

    def _write(self, kind: str, repo: str, value: Any) -> None:
        path = self._file(kind, repo)
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_json(path, value)


def pin_order(order: Order, epoch: int) -> Order:
    """The order that a pin hands to hosts: the deploy's fetch order, under the id ``pin``."""
    return Order("pin", epoch, FETCH, order.release, order.transport, order.payloads, sources=order.sources,
                 seal=order.seal)  # fmt: skip


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
