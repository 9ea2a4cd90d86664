"""What the master knows of a repo between deploys: the pin, and what each host was last seen to hold.

The pin reaches minions through the ext_pillar ``deploy_pins``; it is what they converge to by themselves.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saltdeploy.lib import durable, flock
from saltdeploy.lib.errors import DamagedFile, DeployError
from saltdeploy.master.records import rebuild
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.pin import Pin, from_wire, with_epoch, with_pin
from saltdeploy.protocol.holdings import Holdings, legal
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import file_name, repo_of
from saltdeploy.protocol.result import Result

if TYPE_CHECKING:
    pass

_SECRET_BYTES = 32
_PAYLOADS_KEPT = 86_400.0  # seconds
log = logging.getLogger(__name__)


class Pins:
    """The pins and the last known holdings below one directory of the master."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def all(self, repo: str) -> list[Pin]:
        """The repo's pins: partial ones, the newest first, then the one for the whole fleet.

        Where their file is damaged it is rebuilt from the journals.

        Raises:
            DamagedFile: the journals do not tell them either. So does everything here that reads pins.
        """
        try:
            return self._read(repo)
        except DamagedFile:
            with self._alone(repo):
                return self._read_or_rebuild(repo)

    def get(self, repo: str) -> Pin | None:
        """The pin for the whole fleet; None before the first deploy to all."""
        return next((pin for pin in self.all(repo) if not pin.partial), None)

    def of_host(self, repo: str, host: str) -> Pin | None:
        """What one host should be running; a host that no pin names takes the one for all."""
        return self.of_hosts(repo, [host])[host]

    def of_hosts(self, repo: str, hosts: Iterable[str]) -> dict[str, Pin | None]:
        """The same for many."""
        pins = self.all(repo)
        return {host: _of_host(pins, host) for host in hosts}

    def put(self, pin: Pin) -> None:
        """Write a pin, durably, beside those that stay: see :func:`saltdeploy.master.records.pin.with_pin`."""
        repo = pin.release.repo
        with self._alone(repo):
            # one for the whole fleet replaces all, also what cannot be read
            self._put(repo, with_pin(self._read_or_rebuild(repo) if pin.partial else [], pin))

    def replace_order(self, repo: str, host: str, order: Order) -> None:
        """Give the pin that counts for a host another order for the same release."""
        with self._alone(repo):
            pins = self._read_or_rebuild(repo)
            counts = _of_host(pins, host)
            if counts is not None and counts.release == order.release:  # a deploy may have pinned another one
                self._put(repo, [replace(pin, order=order) if pin == counts else pin for pin in pins])

    def raise_epoch(self, repo: str, epoch: int) -> None:
        """A deploy ended: hosts that have seen its epoch may converge to the other pins again."""
        with self._alone(repo):
            pins = self._read_or_rebuild(repo)
            if pins:
                self._put(repo, with_epoch(pins, epoch))

    @contextlib.contextmanager
    def _alone(self, repo: str) -> Iterator[None]:
        """Deploys write pins, and so does the pillar of each minion: one after the other."""
        with flock.alone(durable.private_directory(self._root / "pins") / f"{file_name(repo)}.lock"):
            yield

    def _read(self, repo: str) -> list[Pin]:
        return durable.read(
            self._file("pins", repo),
            lambda data: from_wire(data, repo),
            [],
            repo=repo,
            after=f"salt-run deploy.sync repo={repo} tag=... pins a release again",
        )

    def _read_or_rebuild(self, repo: str) -> list[Pin]:
        """The pins, for one who is alone with them."""
        try:
            return self._read(repo)
        except DamagedFile as error:
            pins = rebuild.pins(repo, Journals(self._root), error)
            durable.mend(self._file("pins", repo), _to_wire(pins))
            shown = ", ".join(pin.release.tag for pin in pins)
            log.warning("The pins of %s (%s) were rebuilt from its journals: %s.", repo, shown, error.cause)
            return pins

    def _put(self, repo: str, pins: list[Pin]) -> None:
        self._write("pins", repo, _to_wire(pins))

    def seen(self, repo: str) -> dict[str, dict[str, Any]]:
        """Host to ``{"holdings": ..., "time": epoch seconds}``, as each was last seen.

        Hosts tell it anew whenever they are asked: a damaged file is as good as none.
        """
        path = self._file("hosts", repo)
        try:
            return durable.read(path, _seen, {}, repo=repo)
        except DamagedFile:
            durable.set_aside(path)
            return {}

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
        found = (legal(path.stem, repo_of) for path in (self._root / "pins").glob("*.json"))
        return sorted(filter(None, found))

    def epochs(self, repo: str) -> list[int]:
        """The epochs of the repo's pins, as far as they can be read."""
        try:
            return [pin.order.epoch for pin in self._read(repo)]
        except DeployError:
            return []

    def damaged(self, repos: Iterable[str]) -> dict[str, str]:
        """Those of the repos whose pins cannot be read, and why."""
        found = {}
        for repo in repos:
            try:
                self.all(repo)
            except DeployError as error:
                found[repo] = str(error)
        return found

    def _file(self, kind: str, repo: str) -> Path:
        return self._root / kind / f"{file_name(repo)}.json"

    def _write(self, kind: str, repo: str, value: Any) -> None:
        path = self._file(kind, repo)
        durable.private_directory(path.parent)
        durable.write(path, value)


def _to_wire(pins: list[Pin]) -> list[dict[str, Any]]:
    return [pin.to_wire() for pin in pins]


def _of_host(pins: list[Pin], host: str) -> Pin | None:
    return next((pin for pin in pins if not pin.partial or host in pin.hosts), None)


def _seen(data: Any) -> dict[str, dict[str, Any]]:
    check = durable.fields(holdings=dict, time=(int, float))
    return {host: check(entry) for host, entry in durable.mapping(data).items()}
