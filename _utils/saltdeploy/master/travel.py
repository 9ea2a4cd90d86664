"""Which hosts take which transport, as a plan has it; how that is chosen stands in ``transport_choice.py``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TransportChoice:
    """Hosts that take one transport.

    Attributes:
        why: one line, where it was chosen for them; "" where somebody had named it.
    """

    transport: str
    hosts: tuple[str, ...]
    why: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The way as plain data."""
        return {"transport": self.transport, "hosts": list(self.hosts), "why": self.why}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> TransportChoice:
        """Rebuild a way."""
        return cls(data["transport"], tuple(data["hosts"]), data["why"])


def others(of: Iterable[TransportChoice], transport: str) -> dict[str, str]:
    """Host to transport, of those that take another one than this."""
    return {host: way.transport for way in of if way.transport != transport for host in way.hosts}
