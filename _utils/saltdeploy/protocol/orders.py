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
from typing import Any, TypeGuard

from saltdeploy.lib.errors import DeployError, Forged, from_wire, is_status
from saltdeploy.lib.text import legible
from saltdeploy.protocol import fanout as places
from saltdeploy.protocol.holdings import Holdings, legal
from saltdeploy.protocol.release import Release, check_commit, check_host
from saltdeploy.protocol.seals import Seal
from saltdeploy.protocol.swarm import Swarm

FETCH = "fetch"
CHECKOUT = "checkout"
ROLLBACK = "rollback"
PRESEED = "preseed"
STAGES = (FETCH, CHECKOUT, ROLLBACK, PRESEED)
#: How many repos one deploy may be about.
MOST_REPOS = 20

_GROUP = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEPLOY_ID = re.compile(r"[0-9]{20}(_[0-9]{1,10})?|pin")
_WORD = re.compile(r"[a-z]{1,20}")
_NUMBERS = ("bytes", "files", "seconds")  # facts that are counted up and shown in columns
_MOST_FACTS = 50
_BIG = 1 << 62  # what any reader of JSON or msgpack can hold


@dataclass(frozen=True)
class Payload:
    """A packed file that brings a host from one commit to another.

    Attributes:
        base: the commit that the host must hold, or "" when it may hold nothing; of images, that of the base image.
        sha256: the file's digest and its only name.
        size: bytes.
        kind: what is in it: ``bundle``, ``squeezed``, ``trees``, ``tar``, ``delta``, ``image`` or
            ``overlay``; see :mod:`saltdeploy.transports`. Or ``urls``; see :mod:`saltdeploy.blobs.annex_urls`.
        brings: (trees) bytes of the files that the release has and ``base`` has not; they come another way.
    """

    base: str
    sha256: str
    size: int
    kind: str = "bundle"
    brings: int = 0

    def to_wire(self) -> dict[str, Any]:
        """The payload's description as plain data."""
        known = {"base": self.base, "sha256": self.sha256, "size": self.size, "kind": self.kind}
        return {**known, "brings": self.brings} if self.brings else known

    @classmethod
    def from_wire(cls, data: object) -> Payload:
        """Rebuild and check a description that crossed a host boundary.

        Raises:
            DeployError: when a part has the wrong form.
        """
        if not isinstance(data, dict):
            raise DeployError("a payload of an unreadable form")
        base, sha256, size = data.get("base"), data.get("sha256"), data.get("size")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise DeployError("a payload without a sha256")
        if not _is_count(size):
            raise DeployError("a payload without a size")
        if not isinstance(base, str):
            raise DeployError("a payload without a base")
        kind = data.get("kind", "bundle")
        if not isinstance(kind, str) or not _WORD.fullmatch(kind):
            raise DeployError("a payload without a kind")
        brings = data.get("brings", 0)
        if not _is_count(brings):
            raise DeployError("a payload that brings no number of bytes")
        return cls(base and check_commit(base), sha256, size, kind, brings)


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
        anew: (checkout) restart and check also where the release is live and settled already.
        back: (checkout) an operator leads the fleet back from what is live, which is bad therefore.
        sources: where payloads can be had besides the master.
        turns: hosts that are asked with this order, each with its number, by which equally near sources are shared out;
            () where there is nothing to share.
        seal: the root that the release's tree must have, and the signature; None where the master has none.
        swarm: who gives pieces of them to whom.
    """

    deploy: str
    epoch: int
    stage: str
    release: Release
    transport: str = "bundle"
    payloads: tuple[Payload, ...] = ()
    group: str = ""
    attempt: int = 1
    anew: bool = False
    back: bool = False
    sources: tuple[places.FanoutServer, ...] = ()
    turns: tuple[tuple[str, int], ...] = ()
    seal: Seal | None = None
    swarm: Swarm = Swarm()

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
            "anew": self.anew,
            **({"back": True} if self.back else {}),
            "sources": [source.to_wire() for source in self.sources],
            **({"turns": dict(self.turns)} if self.turns else {}),
            **({"seal": self.seal.to_wire()} if self.seal else {}),
            "swarm": self.swarm.to_wire(),
        }

    @classmethod
    def from_wire(cls, data: object) -> Order:
        """Rebuild and check an order.

        Raises:
            DeployError: when a part is missing or has the wrong form.
        """
        if not isinstance(data, dict) or not isinstance(data.get("release"), dict):
            raise DeployError("an order of an unreadable form")
        deploy, epoch, stage = data.get("deploy"), data.get("epoch"), data.get("stage")
        if not isinstance(deploy, str) or not _DEPLOY_ID.fullmatch(deploy):
            raise DeployError("an order without a deploy id")
        if not _is_count(epoch) or not isinstance(stage, str) or stage not in STAGES:
            raise DeployError("an order without an epoch or a known stage")
        transport, payloads = data.get("transport"), data.get("payloads")
        if not isinstance(transport, str) or not _WORD.fullmatch(transport):
            raise DeployError("an order without a transport")
        if not isinstance(payloads, (list, tuple)):
            raise DeployError("an order without a list of payloads")
        group, attempt, anew = data.get("group"), data.get("attempt"), data.get("anew")
        back = data.get("back", False)
        if (
            not isinstance(group, str)
            or not _GROUP.fullmatch(group)
            or not isinstance(attempt, int)
            or not _is_count(attempt)
            or not attempt
            or not isinstance(anew, bool)
            or not isinstance(back, bool)
        ):
            raise DeployError("an order without a group or a number of its attempt")
        return cls(
            deploy=deploy,
            epoch=epoch,
            stage=stage,
            release=Release.from_wire(data["release"]),
            transport=transport,
            payloads=tuple(Payload.from_wire(each) for each in payloads),
            group=group,
            attempt=attempt,
            anew=anew,
            back=back,
            sources=places.from_wire(data.get("sources")),
            turns=_turns(data.get("turns", {})),
            seal=Seal.from_wire(data.get("seal")),
            swarm=Swarm.from_wire(data.get("swarm")),
        )


@dataclass(frozen=True)
class Result:
    """A host's answer to one stage, or to a question about a repo.

    Attributes:
        host, deploy, epoch, stage, attempt, repo, tag, commit: of what.
        status: 0 when it worked; else a number of Trebuchet's, git's or :mod:`saltdeploy.lib.errors`.
        error: why it did not work.
        holdings: what the host has on disk afterwards.
        facts: numbers and short strings for people: bytes, files, seconds, slot, moved_aside.
        also: where the stage was about several repos: what the host has of the others. Status, error and facts
            stand in the answer of the first and are about all.
        job: the id of the Salt job that asked; "" where none did, and in answers of hosts before 0.2.0.
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
    also: tuple[Result, ...] = ()
    job: str = ""

    @classmethod
    def of(cls, order: Order, host: str, **more: Any) -> Result:
        """A host's answer to an order.

        Args:
            more: what the order does not say, such as status, error, holdings, facts; or says otherwise.
        """
        known = {
            "repo": order.release.repo,
            "deploy": order.deploy,
            "epoch": order.epoch,
            "stage": order.stage,
            "attempt": order.attempt,
            "tag": order.release.tag,
            "commit": order.release.commit,
        }
        return cls(host, **{**known, **more})

    @property
    def ok(self) -> bool:
        """Whether the stage did on this host what it was asked to do."""
        return self.status == 0 and self.error is None

    @property
    def parts(self) -> tuple[Result, ...]:
        """One for each repo that it is about."""
        return (self, *self.also)

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
        if self.also:
            wire["also"] = [part.to_wire() for part in self.also]
        if self.job:
            wire["job"] = self.job
        if secret:
            wire["mac"] = _mac(wire, secret)
        return wire

    @classmethod
    def from_wire(cls, data: object) -> Result:
        """Rebuild an answer; what it may leave out and has in a wrong form is left out.

        Raises:
            DeployError: when it has not the form of an answer.
        """
        if not isinstance(data, dict) or not is_status(data.get("status")):
            raise DeployError(f"not an answer of this project: {_shown(data)}")
        status, epoch, error = data["status"], data.get("epoch"), data.get("error")
        attempt, also = data.get("attempt"), data.get("also")
        if status and not error:  # a failure without a reason is a failure
            error = {"status": status, "cause": f"the host answered status {status} and no reason"}
        return cls(
            host=check_host(_short(data.get("host"), 256)),
            repo=_short(data.get("repo"), 200),
            deploy=_short(data.get("deploy"), 40),
            epoch=epoch if _is_count(epoch) else 0,
            stage=_short(data.get("stage"), 20),
            attempt=attempt if _is_count(attempt) and attempt else 1,
            tag=_short(data.get("tag"), 200),
            commit=legal(data.get("commit"), check_commit),
            status=status,
            error=from_wire(error) if error else None,
            holdings=Holdings.from_wire(data.get("holdings")),
            facts=_facts(data.get("facts")),
            also=tuple(_part(each) for each in also[:MOST_REPOS]) if isinstance(also, (list, tuple)) else (),
            job=_short(data.get("job"), 40),
        )


def _turns(data: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(data, dict) or not all(
        isinstance(host, str) and _is_count(turn) for host, turn in data.items()
    ):
        raise DeployError("an order in which the turns of hosts are no numbers")
    return tuple(data.items())


def _part(data: object) -> Result:
    """An answer within an answer; it holds no others."""
    return Result.from_wire({**data, "also": ()} if isinstance(data, dict) else data)


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
    if secret and not _is_signed(data, secret):
        raise Forged(
            "an answer came under this host's name without the host's signature",
            repo=result.repo,
            host=host,
            next=f"salt '{host}' saltutil.refresh_pillar; if it comes again, look for a hostile minion",
        )
    if result.host != host:
        raise Forged(f"an answer of {result.host} came under this host's name", repo=result.repo, host=host)
    return result


def _is_signed(wire: Any, secret: str) -> bool:
    given = _short(wire.get("mac"), 64).encode("utf-8", "replace")
    try:
        return hmac.compare_digest(given, _mac(wire, secret).encode())
    except (TypeError, ValueError, RecursionError):  # bytes, a loop, a million brackets: no host signs that
        return False


def _mac(wire: Any, secret: str) -> str:
    signed = {key: value for key, value in wire.items() if key != "mac"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _BIG


def _short(value: object, most: int) -> str:
    return legible(value[:most]) if isinstance(value, str) else ""


def _facts(value: object) -> dict[str, Any]:
    """Those that are numbers or short texts, and the list of steps; a number that is not one would end a sum."""
    facts = _flat(value)
    steps = value.get("steps") if isinstance(value, dict) else None
    if isinstance(steps, (list, tuple)):
        facts["steps"] = [_flat(step) for step in steps[:_MOST_FACTS]]
    return facts


def _flat(value: object) -> dict[str, Any]:
    facts = list(value.items())[:_MOST_FACTS] if isinstance(value, dict) else []
    return {
        legible(key): legible(fact[:4096]) if isinstance(fact, str) else fact
        for key, fact in facts
        if isinstance(key, str)
        and (_is_number(fact) if key in _NUMBERS else isinstance(fact, (str, bool)) or _is_number(fact))
    }


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _BIG  # and so it is finite


def _shown(data: object) -> str:
    try:
        return str(data)[:500]
    except (ValueError, RecursionError):  # a number of ten thousand digits, a million brackets
        return type(data).__name__
