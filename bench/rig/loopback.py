"""Hosts that are addresses on loopback, for who is not root: no disk of their own, no counters of their interfaces."""

from __future__ import annotations

from pathlib import Path

from bench.rig.host import Host


class Loopback:
    """As :class:`bench.rig.network.Network`, with less."""

    def __init__(self, why: str) -> None:
        self.labels = [f"all hosts on loopback, no bytes on the wire, no rates, no delays ({why})"]

    def add(self, name: str, site: int, number: int, disk: Path, state: Path) -> Host:
        """A new host; its site makes no difference."""
        return Host(name, f"127.18.0.{number}", disk, disk, state)

    def close(self) -> None:
        """Nothing to undo: the daemons are ended by the rig."""
