"""The hosts that failed, beside the limits of their groups. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from saltdeploy.lib.errors import DeployError, Fenced
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK


class Failures:
    """The failed hosts of a deploy.

    Args:
        waves: all of them; waves of one group share a limit.

    Attributes:
        causes: host -> why it failed, in the order in which they failed.
        own: those of them that failed by trouble of their own: a full or read-only disk.
        untold: those of which it cannot be told: they gave no answer, or a check had none.
    """

    def __init__(self, waves: Iterable[Wave]) -> None:
        self.causes: dict[str, str] = {}
        self.own: set[str] = set()
        self.untold: set[str] = set()
        self._group: dict[str, str] = {}
        self._counted: dict[str, dict[str, str]] = {}
        for wave in waves:
            self._group |= dict.fromkeys(wave.hosts, wave.group)
            self._counted[wave.group] = {}

    def add(self, host: str, error: DeployError) -> None:
        """A host failed."""
        cause = error.cause
        self.own = self.own | {host} if error.of_the_host else self.own - {host}
        self.untold = self.untold | {host} if error.inconclusive else self.untold - {host}
        self.causes[host] = self._counted[self._group[host]][host] = cause

    def forget(self, hosts: Iterable[str]) -> None:
        """These hosts are asked again: they have not failed until they do so once more."""
        for host in hosts:
            self.causes.pop(host, None)
            self._counted[self._group[host]].pop(host, None)

    def is_hosts_own(self) -> bool:
        """Whether all that count failed by trouble of their own, so that the release is not to blame."""
        counted = {host for group in self._counted.values() for host in group}
        return bool(counted) and counted <= self.own

    def are_told(self, wave: Wave) -> bool:
        """Whether more of the group of this wave than may are known to have failed."""
        return len([host for host in self._counted[wave.group] if host not in self.untold]) > wave.limit

    def accept(self) -> None:
        """An operator goes on in spite of those that there are; the limits count from here."""
        for counted in self._counted.values():
            counted.clear()

    def beyond_limit(self, wave: Wave) -> str:
        """Why the deploy cannot start the group of this wave; "" when it can."""
        counted = self._counted[wave.group]
        if len(counted) <= wave.limit:
            return ""
        where = f" of {wave.group}" if wave.group else ""
        failed = "failed"
        if wave.on_inconclusive and not self.are_told(wave):
            failed = (
                "could not be judged" if self.untold >= counted.keys() else "failed or could not be judged"
            )
        return f"{hosts(len(counted))}{where} {failed}, the limit is {wave.limit}: {some(counted)}"


def hosts(number: int) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} host" if number == 1 else f"{number} hosts"


def named(hosts: Iterable[str]) -> str:
    """The first three of them, and how many more there are."""
    names = list(hosts)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def some(causes: dict[str, str]) -> str:
    """The first three of them by name, and how many more there are."""
    named = [f"{host} ({cause})" for host, cause in list(causes.items())[:3]]
    return "; ".join(named) + (f"; and {len(causes) - 3} more" if len(causes) > 3 else "")


@dataclass(frozen=True)
class HostAnswer:
    """What an answer says of a host; see :meth:`saltdeploy.master.rollout.machine.Rollout.heard`."""

    unchanged: bool
    way_back: bool
    switched: bool
    shows: bool

    def of_a_restart(self) -> HostAnswer:
        """The same where the release is live already, and hosts are asked to restart it."""
        return replace(self, unchanged=False, shows=False)


#: Where a host is. NEW: the release is live and settled. UNWELL: it is live, and a step after the switch failed.
NEW, UNWELL, BEFORE, UNKNOWN = "new", "unwell", "before", "unknown"


class Whereabouts:
    """What is known of each host of a deploy.

    A host is at :data:`NEW` when it told that the release is live and settled there, at :data:`UNWELL` when it told
    that the release is live and that something else failed, at :data:`BEFORE` when it told that the release is not
    live there, and else at :data:`UNKNOWN`: not heard yet, or asked to switch and not heard since.

    Args:
        hosts: all of them.

    Attributes:
        total: how many hosts there are.
        asked: hosts that were asked to switch -> the position of their wave.
        unwell: hosts that are known to be at one of the two releases, and not well there -> what failed.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self.asked: dict[str, int] = {}
        self.unwell: dict[str, str] = {}
        self._at = dict.fromkeys(hosts, UNKNOWN)
        self._no_way_back: set[str] = set()
        self._not_back: dict[str, str] = {}
        self._overtaken: dict[str, str] = {}
        self.total = len(self._at)

    def ask(self, stage: str, hosts: Iterable[str], wave: int) -> None:
        """From now on hosts may switch, or switch back, at any moment."""
        if stage == CHECKOUT:
            self.asked |= dict.fromkeys(hosts, wave)
        if stage in (CHECKOUT, ROLLBACK):
            for host in hosts:
                self._at[host] = UNKNOWN
                self.unwell.pop(host, None)

    def hear(self, stage: str, host: str, error: DeployError | None, answer: HostAnswer) -> None:
        """A host answered.

        Args:
            error: why it failed; None when it worked.
        """
        cause = None if error is None else error.cause
        if stage == FETCH:
            (self._no_way_back.discard if answer.way_back else self._no_way_back.add)(host)
        if stage == ROLLBACK:
            self._not_back[host] = cause or "it still shows the release"
        self.unwell.pop(host, None)
        self._overtaken.pop(host, None)
        if isinstance(error, Fenced):
            self._overtaken[host] = error.cause
        self._at[host] = _place(stage, cause, answer)
        if self._at[host] == UNWELL or (self._at[host] == BEFORE and stage == ROLLBACK and cause):
            self.unwell[host] = cause or "it still shows the release"

    def to_switch(self, hosts: Iterable[str]) -> list[str]:
        """Those that do not run the release yet, or are not well with it."""
        return [host for host in hosts if self._at[host] != NEW]

    def to_roll_back(self, wave: int) -> list[str]:
        """Those of a wave that were asked to switch and have something to go back to; the last one first."""
        asked = [host for host, at in self.asked.items() if at == wave and host not in self._no_way_back]
        return asked[::-1]

    def stuck(self) -> dict[str, str]:
        """Hosts that were asked to switch and are not back -> why."""
        causes = dict.fromkeys(self._no_way_back, "it has no release to go back to") | self._not_back
        return {
            host: causes.get(host, "it was not asked to") for host in self.asked if self._at[host] != BEFORE
        }

    def overtaken(self) -> dict[str, str]:
        """Hosts that were asked to switch and take no orders of this deploy any more -> the newer one they follow."""
        return {host: cause for host, cause in self._overtaken.items() if host in self.asked}

    def are_back(self) -> bool:
        """Whether all that were asked to switch are known to be where they were before."""
        return all(self._at[host] == BEFORE for host in self.asked)

    def have_switched(self) -> bool:
        """Whether all that were asked to switch are known to show the release."""
        return all(self._at[host] in (NEW, UNWELL) for host in self.asked)

    def are(self, place: str) -> list[str]:
        """The hosts that are there."""
        return [host for host, at in self._at.items() if at == place]

    def are_not(self, *places: str) -> list[str]:
        """The hosts that are at none of these, or of which that is not known."""
        return [host for host, at in self._at.items() if at not in places]

    def all_are(self, place: str) -> bool:
        """Whether every host is known to be there."""
        return all(at == place for at in self._at.values())

    def are_split(self) -> bool:
        """Whether hosts that are known to run the new release stand beside others."""
        return bool(self.are(NEW)) and bool(self.are_not(NEW, UNWELL))


def _place(stage: str, cause: str | None, answer: HostAnswer) -> str:
    """Where a host is by its answer. What is live counts; what failed beside that makes it unwell at most."""
    if not answer.switched:
        return BEFORE
    if cause is None and (stage == CHECKOUT or answer.unchanged):
        return NEW
    return UNWELL if answer.shows and stage != FETCH else UNKNOWN
