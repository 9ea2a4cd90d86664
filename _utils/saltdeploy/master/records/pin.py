"""What targets should be running: one pin, and what becomes of a repo's pins when another one comes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from saltdeploy.lib import durable
from saltdeploy.protocol.orders import FETCH, Order
from saltdeploy.protocol.release import Release


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
        """Rebuild and check a pin.

        Raises:
            DeployError, ValueError, KeyError: a part is missing or has the wrong form.
        """
        order, transports = Order.from_wire(data["order"]), durable.mapping(data.get("transports", {}))
        return cls(order, tuple(durable.texts(data["hosts"])), bool(data["partial"]), transports)


def pin_order(order: Order, epoch: int) -> Order:
    """The order that a pin hands to hosts: the deploy's fetch order, under the id ``pin``."""
    return Order("pin", epoch, FETCH, order.release, order.transport, order.payloads, sources=order.sources,
                 seal=order.seal)  # fmt: skip


def with_pin(pins: list[Pin], pin: Pin) -> list[Pin]:
    """A repo's pins with a new one. One for the whole fleet replaces all; a partial one takes its hosts from others."""
    kept: list[Pin] = []
    for old in pins if pin.partial else ():
        hosts = tuple(host for host in old.hosts if host not in pin.hosts) if old.partial else old.hosts
        kept += [replace(old, hosts=hosts)] if hosts or not old.partial else []
    runs_it = pin.release in [old.release for old in kept if not old.partial]
    return kept if runs_it else [pin, *kept]


def with_epoch(pins: list[Pin], epoch: int) -> list[Pin]:
    """The pins under the epoch of the last deploy that ended."""
    return [replace(pin, order=replace(pin.order, epoch=epoch)) for pin in pins]


def from_wire(data: Any, repo: str) -> list[Pin]:
    """Rebuild a repo's pins.

    Raises:
        DeployError, ValueError, KeyError: they are not a list of pins of this repo.
    """
    if not isinstance(data, list):
        raise ValueError(f"{type(data).__name__} stands there, and not a list of pins")
    pins = [Pin.from_wire(durable.mapping(entry)) for entry in data]
    if others := {pin.release.repo for pin in pins} - {repo}:
        raise ValueError(f"it is about {', '.join(sorted(others))}")
    return pins
