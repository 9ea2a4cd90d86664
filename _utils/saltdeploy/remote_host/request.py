"""One request of the master to a host without a minion, checked; and the host that it makes of this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import config
from saltdeploy.config import Repo
from saltdeploy.config.repo import unknown_in_pillar
from saltdeploy.lib import durable
from saltdeploy.lib.errors import BadArguments, DeployError, UnknownRepo
from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.minion.configuration import Configurations
from saltdeploy.minion.context import Host
from saltdeploy.protocol import fields
from saltdeploy.protocol.release import check_host
from saltdeploy.remote_host import native
from saltdeploy.remote_host.jobs import Tell
from saltdeploy.remote_host.pushed import Inbox, PushedPayloads

_JOB = re.compile(r"[0-9]{20}(_[0-9]{1,10})?")
_FUNCTION = re.compile(r"deploy\.[a-z_]{1,40}")


@dataclass(frozen=True)
class HostRequest:
    """See the module.

    Attributes:
        host: the id of this host in the master's roster.
        job: the id of the job that asks; the answer counts for that one alone.
        function: ``deploy.fetch`` and the like.
        arguments, keywords: of the function.
        pillar: of this host, as the master compiles it: what of it is for us.
        site: the grain ``site`` that the roster gives this host.
        secret: with which the answer is signed; "" where answers are not signed.
    """

    host: str
    job: str
    function: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    pillar: Mapping[str, Any]
    site: str = ""
    secret: str = ""

    @classmethod
    def from_wire(cls, data: Any) -> HostRequest:
        """Rebuild and check a request.

        Raises:
            DeployError: a part of it has the wrong form.
        """
        if not isinstance(data, dict):
            raise BadArguments("a request of an unreadable form")
        texts = {key: data.get(key, "") for key in ("host", "job", "function", "site", "secret")}
        if not all(fields.is_text(each) for each in texts.values()):
            raise BadArguments("a request of an unreadable form")
        check_host(texts["host"])
        if not (_JOB.fullmatch(texts["job"]) and _FUNCTION.fullmatch(texts["function"])):
            raise BadArguments(f"a request for {texts['function'][:80]!r} in job {texts['job'][:40]!r}")
        said, pillar = data.get("arguments"), data.get("pillar")
        if not isinstance(said, list) or not isinstance(pillar, dict):
            raise BadArguments("a request without arguments or without a pillar")
        positional = [each for each in said if not _is_keywords(each)]
        keywords = {key: value for each in said if _is_keywords(each) for key, value in each.items()}
        keywords.pop("__kwarg__", None)
        return cls(arguments=tuple(positional), keywords=keywords, pillar=pillar, **texts)

    @property
    def ours(self) -> Mapping[str, Any]:
        """What the master tells of pins."""
        found: Mapping[str, Any] = self.pillar.get("deploy") or {}
        return found

    def config(self, repo: str, base: Path, deploy: str = "") -> Repo:
        """The repo's configuration: as the pillar has it; where it has none, as it was when the deploy began.

        Raises:
            DeployError: there is none that is valid.
        """
        try:
            return config.load(dict(self.pillar), repo, self.site)
        except UnknownRepo as error:
            found = Configurations(record_of(base, self.host), repo).of_start(deploy)
            if found is not None:
                return found
            known = config.repo_names(dict(self.pillar))
            raise unknown_in_pillar(error, self.host, "this host", known) from None

    def refuse_unknown(self, repo: str) -> None:
        """Refuse where the master cannot tell what it has pinned.

        Raises:
            DeployError: why it cannot.
        """
        why = (self.ours.get("unknown") or {}).get(repo)
        if why:
            raise from_wire(why)

    def world(self, base: Path, tell: Tell) -> Host:
        """This machine, as stages want it.

        Args:
            base: the directory of this user for all of this.
            tell: says something to whoever is connected.
        """
        pins = self.ours.get("pins") or {}
        return Host(
            name=self.host,
            cache=record_of(base, self.host),
            carrier=PushedPayloads(Inbox(inbox_of(base, self.host)), tell),
            send=lambda tag, data: tell({"event": [tag, data]}),
            call=native.call,
            clock=time.time,
            get=native.get,
            pins={repo: str(pin.get("commit", "")) for repo, pin in pins.items() if isinstance(pin, dict)},
        )


def record_of(base: Path, host: str) -> Path:
    """Where a host keeps what it did; several ids of one roster may lead to one user of one machine."""
    return durable.private_directory(_of_host(base, host) / "record")


def inbox_of(base: Path, host: str) -> Path:
    """Where payloads for a host arrive."""
    return durable.private_directory(_of_host(base, host) / "inbox")


def jobs_of(base: Path, host: str) -> Path:
    """Where a host's stages tell how far they are."""
    return durable.private_directory(_of_host(base, host) / "stages")


def _of_host(base: Path, host: str) -> Path:
    return durable.private_directory(durable.private_directory(base / "hosts") / check_host(host))


def refused(request: HostRequest, repo: str, error: DeployError) -> dict[str, Any]:
    """The fields of an answer that says why nothing was done."""
    placed = error.at(repo=repo, host=request.host)
    return {"host": request.host, "repo": repo, "status": placed.status, "error": placed}


def _is_keywords(argument: Any) -> bool:
    return isinstance(argument, dict) and argument.get("__kwarg__") is True
