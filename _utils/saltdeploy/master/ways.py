"""How a release travels to whom: an operator says it for all, else the group of a host, else the repo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from saltdeploy import fitting, swarms, transports
from saltdeploy.config import Repo
from saltdeploy.master.waves import assigned
from saltdeploy.policy import AUTO


@dataclass(frozen=True)
class Way:
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
    def from_wire(cls, data: dict[str, Any]) -> Way:
        """Rebuild a way."""
        return cls(data["transport"], tuple(data["hosts"]), data["why"])


Choose = Callable[[str], tuple[str, str]]
"""Host to the transport that is the cheapest for it, and why."""


def of_each(
    operators: str, repo: Repo, hosts: list[str], targets: Callable[[str, str], list[str]]
) -> dict[str, str]:
    """Host to the transport that somebody has named for it; ``auto`` among them.

    Args:
        operators: what the operator wants; "" for what the pillar says.
        targets: ``(expression, type)`` to minion ids.

    Raises:
        ConfigError: there is none of this name, or the layout can make nothing of it.
    """
    operators, _ = swarms.split(operators)
    if operators:
        if operators != AUTO:
            transports.of(operators)
        fitting.refuse_unfit(operators, repo.layout, repo.name)
        return dict.fromkeys(hosts, operators)
    found = dict.fromkeys(hosts, repo.transport)
    if any(group.transport for group in repo.groups):
        members = assigned(repo.groups, hosts, lambda group: targets(group.targets, group.targets_type))
        for group, taken in members:
            found |= dict.fromkeys(taken, group.transport or repo.transport)
    return found


def ways(wanted: dict[str, str], choose: Choose) -> tuple[Way, ...]:
    """The ways to these hosts, that of most of them first.

    Args:
        wanted: see :func:`of_each`.
        choose: is asked for hosts with ``auto``.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for host, transport in wanted.items():
        found.setdefault(choose(host) if transport == AUTO else (transport, ""), []).append(host)
    made = [Way(transport, tuple(hosts), why) for (transport, why), hosts in found.items()]
    return tuple(sorted(made, key=lambda way: (-len(way.hosts), way.transport, way.why)))


def others(of: Iterable[Way], transport: str) -> dict[str, str]:
    """Host to transport, of those that take another one than this."""
    return {host: way.transport for way in of if way.transport != transport for host in way.hosts}


def most(of: Iterable[Way]) -> str:
    """The transport that most hosts take."""
    hosts: Counter[str] = Counter()
    for way in of:
        hosts[way.transport] += len(way.hosts)
    return min(hosts, key=lambda name: (-hosts[name], name))
