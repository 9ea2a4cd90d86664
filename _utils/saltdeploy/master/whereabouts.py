"""Which hosts run the new release and which the one from before, as far as their answers tell. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable

from saltdeploy.orders import CHECKOUT, FETCH, ROLLBACK

NEW, BEFORE, UNKNOWN = "new", "before", "unknown"


class Whereabouts:
    """What is known of each host of a deploy.

    A host is at :data:`NEW` when it told that the release is live and settled there, at :data:`BEFORE` when it told
    that the release is not live there, and else at :data:`UNKNOWN`: not heard yet, asked to switch and not heard
    since, or failed with the release live.

    Args:
        hosts: all of them.

    Attributes:
        total: how many hosts there are.
        asked: hosts that were asked to switch -> the position of their wave.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self.asked: dict[str, int] = {}
        self._at = dict.fromkeys(hosts, UNKNOWN)
        self._no_way_back: set[str] = set()
        self._not_back: dict[str, str] = {}
        self.total = len(self._at)

    def ask(self, stage: str, hosts: Iterable[str], wave: int) -> None:
        """From now on hosts may switch, or switch back, at any moment."""
        if stage == CHECKOUT:
            self.asked |= dict.fromkeys(hosts, wave)
        if stage in (CHECKOUT, ROLLBACK):
            self._at |= dict.fromkeys(hosts, UNKNOWN)

    def hear(
        self, stage: str, host: str, cause: str | None, *, unchanged: bool, way_back: bool, switched: bool
    ) -> None:
        """A host answered; see :meth:`saltdeploy.master.rollout.Rollout.heard`.

        Args:
            cause: why it failed; None when it worked.
        """
        if stage == FETCH:
            (self._no_way_back.discard if way_back else self._no_way_back.add)(host)
        if stage == ROLLBACK:
            self._not_back[host] = cause or "it still shows the release"
        if not switched and (
            cause is None or stage != ROLLBACK
        ):  # a way back that failed: its restart or checks did
            self._at[host] = BEFORE
        elif cause is None and (stage == CHECKOUT or unchanged):
            self._at[host] = NEW
        else:
            self._at[host] = UNKNOWN

    def to_switch(self, hosts: Iterable[str]) -> list[str]:
        """Those that do not run the release yet."""
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

    def are_back(self) -> bool:
        """Whether all that were asked to switch are known to be where they were before."""
        return all(self._at[host] == BEFORE for host in self.asked)

    def are(self, place: str) -> list[str]:
        """The hosts that are there."""
        return [host for host, at in self._at.items() if at == place]

    def are_not(self, place: str) -> list[str]:
        """The hosts that are not there, or of which that is not known."""
        return [host for host, at in self._at.items() if at != place]

    def all_are(self, place: str) -> bool:
        """Whether every host is known to be there."""
        return all(at == place for at in self._at.values())

    def are_split(self) -> bool:
        """Whether hosts that are known to run the new release stand beside others."""
        return bool(self.are(NEW)) and not self.all_are(NEW)
