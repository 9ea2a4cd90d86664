"""What a master asks of a target (:class:`Order`) and what the target answers (:class:`Result`).

Both cross Salt as plain data. An order comes over Salt's authenticated channel. An answer does not: a minion
can put a return under another minion's name on the master's bus and into its job cache. So an answer
carries a message authentication code under a secret that only that minion and the master share.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.errors import DeployError, Forged, from_wire
from saltdeploy.release import Release, check_commit, check_host

FETCH = "fetch"
CHECKOUT = "checkout"
ROLLBACK = "rollback"
STAGES = (FETCH, CHECKOUT, ROLLBACK)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEPLOY_ID = re.compile(r"[0-9]{20}(_[0-9]+)?|pin")


@dataclass(frozen=True)
class Payload:
    """A packed file that brings a host from one commit to another.

    Attributes:
        base: the commit that the host must hold, or "" when it may hold nothing.
        sha256: the file's digest and its only name.
        size: bytes.
    """

    base: str
    sha256: str
    size: int

    def to_wire(self) -> dict[str, Any]:
        """The payload's description as plain data."""
        return {"base": self.base, "sha256": self.sha256, "size": self.size}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Payload:
        """Rebuild and check a description that crossed a host boundary.

        Raises:
            DeployError: when a part has the wrong form.
        """
        base, sha256, size = data.get("base"), data.get("sha256"), data.get("size")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise DeployError("a payload without a sha256")
        if not isinstance(size, int) or size < 0:
            raise DeployError("a payload without a size")
        return cls(check_commit(str(base)) if base else "", sha256, size)


@dataclass(frozen=True)
class Order:
    """One stage of one deploy, for every host that gets it.

    Attributes:
        deploy: the deploy's id (a Salt jid), or ``pin`` for a host that converges by itself.
        epoch: the fencing number of the lock; a host refuses a lower one than the last it saw.
        stage: one of :data:`STAGES`.
        release: what to prepare, or to switch to.
        transport: a name of :mod:`saltdeploy.transports`.
        payloads: what was packed for it; a host takes the first whose base it holds.
        group: the group that the hosts are in; checks may be for one group only.
        attempt: grows when an operator wants a stage tried again; each attempt is made once.
    """

    deploy: str
    epoch: int
    stage: str
    release: Release
    transport: str = "bundle"
    payloads: tuple[Payload, ...] = ()
    group: str = ""
    attempt: int = 1

    def to_wire(self) -> dict[str, Any]:
        """The order as plain data, for a job's arguments. Every minion can read it: no secrets."""
        return {
            "deploy": self.deploy,
            "epoch": self.epoch,
            "stage": self.stage,
            "release": self.release.to_wire(),
            "transport": self.transport,
            "payloads": [payload.to_wire() for payload in self.payloads],
            "group": self.group,
            "attempt": self.attempt,
        }

    @classmethod
    def from_wire(cls, data: object) -> Order:
        """Rebuild and check an order.

        Raises:
            DeployError: when a part is missing or has the wrong form.
        """
        if not isinstance(data, dict) or not isinstance(data.get("release"), dict):
            raise DeployError("an order of an unreadable form")
        deploy, epoch, stage = str(data.get("deploy")), data.get("epoch"), data.get("stage")
        attempt = data.get("attempt", 1)
        if not _DEPLOY_ID.fullmatch(deploy) or not isinstance(epoch, int) or stage not in STAGES:
            raise DeployError("an order without a deploy id, an epoch or a known stage")
        if not isinstance(attempt, int) or attempt < 1:
            raise DeployError("an order without a number of its attempt")
        return cls(
            deploy=deploy,
            epoch=epoch,
            stage=str(stage),
            release=Release.from_wire(data["release"]),
            transport=str(data.get("transport", "bundle")),
            payloads=tuple(Payload.from_wire(each) for each in data.get("payloads", ())),
            group=str(data.get("group", ""))[:64],
            attempt=attempt,
        )


@dataclass(frozen=True)
class Holdings:
    """What a host has on disk of a repo; every entry is a commit id or "".

    Attributes:
        live: what ``location`` shows.
        previous: what it showed before, if that is still whole on disk.
        held: every release that is whole on disk, ``live`` and ``previous`` among them.
        tags: commit to tag, for those in ``held``.
        unsettled: a switch has begun here and its restart and checks have not all passed: what runs may not be
            what ``live`` says.
    """

    live: str = ""
    previous: str = ""
    held: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    unsettled: bool = False

    def to_wire(self) -> dict[str, Any]:
        """The holdings as plain data."""
        return {
            "unsettled": self.unsettled,
            "live": self.live,
            "previous": self.previous,
            "held": list(self.held),
            "tags": dict(self.tags),
        }

    @classmethod
    def from_wire(cls, data: object) -> Holdings:
        """Rebuild holdings; parts of the wrong form are left out, since a report must always work."""
        if not isinstance(data, dict):
            return cls()
        held, tags = data.get("held"), data.get("tags")
        return cls(
            live=str(data.get("live") or "")[:64],
            previous=str(data.get("previous") or "")[:64],
            held=tuple(str(each)[:64] for each in held[:32]) if isinstance(held, list) else (),
            tags={str(k)[:64]: str(v)[:200] for k, v in tags.items()} if isinstance(tags, dict) else {},
            unsettled=data.get("unsettled") is True,
        )


@dataclass(frozen=True)
class Result:
    """A host's answer to one stage, or to a question about a repo.

    Attributes:
        host, deploy, epoch, stage, attempt, repo, tag, commit: of what.
        status: 0 when it worked; else a number of Trebuchet's, git's or :mod:`saltdeploy.errors`.
        error: why it did not work.
        holdings: what the host has on disk afterwards.
        facts: numbers and short strings for people: bytes, files, seconds, slot, moved_aside.
    """

    host: str
    repo: str
    deploy: str = ""
    epoch: int = 0
    stage: str = ""
    attempt: int = 1
    tag: str = ""
    commit: str = ""
    status: int = 0
    error: DeployError | None = None
    holdings: Holdings = field(default_factory=Holdings)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the stage did on this host what it was asked to do."""
        return self.status == 0 and self.error is None

    def to_wire(self, secret: str = "") -> dict[str, Any]:
        """The answer in Trebuchet's return shape, with more keys; signed when there is a secret.

        Trebuchet's keys are ``status``, ``repo``, ``dependencies`` and, when known, ``tag``.
        """
        wire: dict[str, Any] = {
            "status": self.status,
            "repo": self.repo,
            "dependencies": [],
            "host": self.host,
            "deploy": self.deploy,
            "epoch": self.epoch,
            "stage": self.stage,
            "attempt": self.attempt,
            "commit": self.commit,
            "holdings": self.holdings.to_wire(),
            "facts": dict(self.facts),
        }
        if self.tag:
            wire["tag"] = self.tag
        if self.error is not None:
            wire["error"] = self.error.to_wire()
        if secret:
            wire["mac"] = _mac(wire, secret)
        return wire

    @classmethod
    def from_wire(cls, data: object) -> Result:
        """Rebuild an answer.

        Raises:
            DeployError: when it has not the form of an answer.
        """
        if not isinstance(data, dict) or not isinstance(data.get("status"), int):
            raise DeployError(f"not an answer of this project: {str(data)[:500]}")
        facts = data.get("facts")
        epoch, attempt = data.get("epoch"), data.get("attempt")
        return cls(
            host=check_host(str(data.get("host", ""))),
            repo=str(data.get("repo", ""))[:200],
            deploy=str(data.get("deploy", ""))[:40],
            epoch=epoch if isinstance(epoch, int) else 0,
            stage=str(data.get("stage", ""))[:20],
            attempt=attempt if isinstance(attempt, int) else 1,
            tag=str(data.get("tag", ""))[:200],
            commit=str(data.get("commit", ""))[:64],
            status=data["status"],
            error=from_wire(data["error"]) if data.get("error") else None,
            holdings=Holdings.from_wire(data.get("holdings")),
            facts=dict(facts) if isinstance(facts, dict) else {},
        )


def secret_for(host: str, master_secret: bytes) -> str:
    """The secret that the master shares with one host: HMAC-SHA256 of its name under the master's own."""
    return hmac.new(master_secret, f"saltdeploy answer {host}".encode(), hashlib.sha256).hexdigest()


def authentic(data: object, host: str, secret: str) -> Result:
    """The answer in ``data``, when the host itself gave it.

    Args:
        data: what came over the bus under ``host``'s name.
        host: that name.
        secret: what the master shares with the host; "" where the fleet has no secrets (no ext_pillar).

    Raises:
        Forged: when the code is missing or wrong, or the answer speaks of another host.
        DeployError: when it is not an answer at all.
    """
    result = Result.from_wire(data)
    given = str(data.get("mac", "")) if isinstance(data, dict) else ""
    if secret and not hmac.compare_digest(given.encode(), _mac(data, secret).encode()):
        raise Forged(
            "an answer came under this host's name without the host's signature",
            repo=result.repo,
            host=host,
            next=f"salt '{host}' saltutil.refresh_pillar; if it comes again, look for a hostile minion",
        )
    if result.host != host:
        raise Forged(f"an answer of {result.host} came under this host's name", repo=result.repo, host=host)
    return result


def _mac(wire: Any, secret: str) -> str:
    signed = {key: value for key, value in wire.items() if key != "mac"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
