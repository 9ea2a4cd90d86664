"""Hosts that are gone for good, each with the moment up to which nothing of it is wanted in redis any more."""

from __future__ import annotations

from pathlib import Path

from saltdeploy.lib import durable
from saltdeploy.protocol.release import check_host


class ForgottenHosts:
    """Kept in ``forgotten.json`` of the master's directory for deploys: a redis that is filled again forgets them, too.

    Args:
        root: the master's directory for deploys.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "forgotten.json"

    def all(self) -> dict[str, float]:
        """Host -> moment, in seconds since the epoch.

        Raises:
            DamagedFile: the file is damaged.
        """
        return durable.read(self._path, _moments, {})

    def add(self, host: str, now: float) -> None:
        """Forget a host up to this moment.

        Raises:
            BadName: that is no name of a host.
            DamagedFile: the file is damaged.
        """
        durable.write(self._path, {**self.all(), check_host(host): now})


def _moments(value: object) -> dict[str, float]:
    return {host: float(moment) for host, moment in durable.mapping(value).items()}
