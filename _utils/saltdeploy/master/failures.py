"""The hosts that failed, beside the limits of their groups. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable

from saltdeploy.master.waves import Wave


class Failures:
    """The failed hosts of a deploy.

    Args:
        waves: all of them; waves of one group share a limit.

    Attributes:
        causes: host -> why it failed, in the order in which they failed.
    """

    def __init__(self, waves: Iterable[Wave]) -> None:
        self.causes: dict[str, str] = {}
        self._group: dict[str, str] = {}
        self._counted: dict[str, dict[str, str]] = {}
        for wave in waves:
            self._group |= dict.fromkeys(wave.hosts, wave.group)
            self._counted[wave.group] = {}

    def add(self, host: str, cause: str) -> None:
        """A host failed."""
        self.causes[host] = self._counted[self._group[host]][host] = cause

    def forget(self, hosts: Iterable[str]) -> None:
        """These hosts are asked again: they have not failed until they do so once more."""
        for host in hosts:
            self.causes.pop(host, None)
            self._counted[self._group[host]].pop(host, None)

    def accept(self) -> None:
        """An operator goes on in spite of those that there are; the limits count from here."""
        for counted in self._counted.values():
            counted.clear()

    def beyond_limit(self, wave: Wave) -> str:
        """Why the deploy cannot go on with the group of this wave; "" when it can."""
        counted = self._counted[wave.group]
        if len(counted) <= wave.limit:
            return ""
        where = f" of {wave.group}" if wave.group else ""
        return f"{hosts(len(counted))}{where} failed, the limit is {wave.limit}: {some(counted)}"


def hosts(number: int) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} host" if number == 1 else f"{number} hosts"


def some(causes: dict[str, str]) -> str:
    """The first three of them by name, and how many more there are."""
    named = [f"{host} ({cause})" for host, cause in list(causes.items())[:3]]
    return "; ".join(named) + (f"; and {len(causes) - 3} more" if len(causes) > 3 else "")
