"""Tells which answers are a host's own, and to the question that was asked.

A minion can put a return under another minion's name on the master's bus, also one that the other once gave: everybody sees
them. So what a host signs names the Salt job that it answers, and counts for that job alone.

Hosts before 0.2.0 name no job. Their answers count, until a host has named one for the first time: that is remembered, so that
nobody can play an answer from before its upgrade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from saltdeploy.lib import durable
from saltdeploy.lib.errors import Forged
from saltdeploy.master.context import Master
from saltdeploy.protocol.result import Result, authentic


class BoundHosts:
    """The hosts of which it is known that their answers name the job.

    Args:
        directory: where that is remembered; None: only as long as this object lives.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._known: set[str] = set()

    def __contains__(self, host: str) -> bool:
        if host not in self._known and self._directory and (self._directory / host).exists():
            self._known.add(host)
        return host in self._known

    def add(self, host: str) -> None:
        """Remember one."""
        if host in self:
            return
        self._known.add(host)
        if self._directory:
            (durable.private_directory(self._directory) / host).touch(mode=0o600)


@dataclass(frozen=True)
class Authenticator:
    """Reads what came under a host's name.

    Attributes:
        secret: host to the secret that it signs with; "" where answers are not signed.
        bound: hosts whose answers must name the job.
    """

    secret: Callable[[str], str]
    bound: BoundHosts = field(default_factory=BoundHosts)

    @classmethod
    def of(cls, master: Master) -> Authenticator:
        """The one with this master's secrets and memory."""
        return cls(master.secret, BoundHosts(master.root / "bound"))

    def read(self, data: object, host: str, job: str) -> Result:
        """The host's own answer to a job.

        Raises:
            Forged: the host did not sign it, or signed it as the answer to something else.
            DeployError: it is not an answer at all.
        """
        secret = self.secret(host)
        result = authentic(data, host, secret)
        if result.job != job and (result.job or host in self.bound):
            raise Forged(
                f"an answer to {result.job or 'an unnamed job'} came as one to {job}",
                repo=result.repo,
                host=host,
                next=f"salt '{host}' saltutil.sync_all; if it comes again, look for a hostile minion",
            )
        if result.job and secret:
            self.bound.add(host)
        return replace(result, job="")  # it has served
