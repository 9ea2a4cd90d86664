"""Hosts that operators have suspended: deploys leave them out until a moment, and everybody is told so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saltdeploy.lib import durable
from saltdeploy.lib.errors import BadArguments, NothingAsked
from saltdeploy.lib.flock import alone
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import utc
from saltdeploy.protocol.release import check_host

_LONGEST = 90 * 86_400.0  # seconds


@dataclass(frozen=True)
class Suspension:
    """One host that is left out.

    Attributes:
        repo: of this repo only; "" of all.
        reason, user: why, and who said so.
        since, until: seconds since the epoch.
    """

    host: str
    repo: str
    reason: str
    user: str
    since: float
    until: float

    def __str__(self) -> str:
        who = f" by {self.user}" if self.user else ""
        return f"{self.host} is suspended{who} until {utc(self.until)}: {self.reason}"

    def to_wire(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class Suspensions:
    """Those of one master, in ``suspended.json`` of its directory for deploys.

    Args:
        root: the master's directory for deploys.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "suspended.json"
        self._lock = root / "suspended.lock"

    def at(self, now: float, repo: str = "") -> dict[str, Suspension]:
        """The hosts that are left out now, with why; of one repo, or of all.

        Raises:
            DamagedFile: the file is damaged.
        """
        found = (each for each in self._read() if each.until > now)
        return {each.host: each for each in found if not repo or each.repo in ("", repo)}

    def add(self, wanted: Suspension) -> None:
        """Suspend a host; what was said of it before is replaced.

        Raises:
            BadArguments: it has no reason, or no end within 90 days.
            BadName: that is no name of a host.
        """
        check_host(wanted.host)
        if not wanted.reason:
            raise BadArguments(
                "nobody would know why this host is left out",
                host=wanted.host,
                next=f"salt-run deploy.suspend {wanted.host} reason=...",
            )
        if not wanted.since < wanted.until <= wanted.since + _LONGEST:
            raise BadArguments(
                "a host is suspended up to a moment within 90 days from now",
                host=wanted.host,
                next=f"salt-run deploy.suspend {wanted.host} {argument('reason', wanted.reason)} hours=24",
            )
        with alone(self._lock):
            kept = [each for each in self._read() if (each.host, each.repo) != (wanted.host, wanted.repo)]
            self._write([*(each for each in kept if each.until > wanted.since), wanted])

    def end(self, host: str, repo: str, now: float) -> Suspension:
        """End the suspension of a host; what it was.

        Raises:
            NothingAsked: it is not suspended.
        """
        with alone(self._lock):
            known = [each for each in self._read() if each.until > now]
            found = next((each for each in known if (each.host, each.repo) == (host, repo)), None)
            if found is None:
                others = ", ".join(f"{each.host} {each.repo}".strip() for each in known) or "no host"
                raise NothingAsked(
                    f"it is not suspended; suspended: {others}",
                    repo=repo,
                    host=host,
                    next="salt-run deploy.suspended",
                )
            self._write([each for each in known if each != found])
            return found

    def _read(self) -> list[Suspension]:
        return durable.read(self._path, _suspensions, [])

    def _write(self, known: list[Suspension]) -> None:
        durable.write(self._path, {"hosts": [each.to_wire() for each in known]})


def _suspensions(value: object) -> list[Suspension]:
    return [Suspension(**each) for each in durable.mapping(value)["hosts"]]
