"""What a master asks of a target (:class:`Order`); what the target answers is in :mod:`saltdeploy.protocol.result`.

An order crosses Salt as plain data, over Salt's authenticated channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import legible
from saltdeploy.protocol import fanout as places
from saltdeploy.protocol import fields
from saltdeploy.protocol.release import Release, check_commit
from saltdeploy.protocol.seals import Seal
from saltdeploy.protocol.swarm import Swarm

FETCH = "fetch"
CHECKOUT = "checkout"
ROLLBACK = "rollback"
PRESEED = "preseed"
#: A step of the pillar's ``once``; no stage of a release, but asked for and answered as one.
ONCE = "once"
STAGES = (FETCH, CHECKOUT, ROLLBACK, PRESEED, ONCE)
#: How many repos one deploy may be about.
MOST_REPOS = 20

_is_group = fields.matches(r"[A-Za-z0-9_.-]{0,64}")
_is_sha256 = fields.matches(r"[0-9a-f]{64}")
_is_deploy_id = fields.matches(r"[0-9]{20}(_[0-9]{1,10})?|pin")
_is_word = fields.matches(r"[a-z]{1,20}")


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
        if not fields.is_table(data):
            raise DeployError("a payload of an unreadable form")
        return cls(**fields.read(data, _PAYLOAD))


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
        user: who deploys, for people; "" where that is not known.
        step: (once) the name of the step; ``attempt`` counts the runs of its deploy.
        undo: (once) what undoes the step is to be run. With ``back`` the release is the one that hosts go back to; else it
            is the one that they leave.
        as_it_was: (fetch) the release is gone back to: what hosts rendered for it stays.
        left: (once) with ``back``, the tag of the release that they leave.
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
    user: str = ""
    step: str = ""
    undo: bool = False
    left: str = ""
    as_it_was: bool = False

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
            **({"user": legible(self.user)} if self.user else {}),
            **({"step": self.step} if self.step else {}),
            **({"undo": True} if self.undo else {}),
            **({"left": legible(self.left)} if self.left else {}),
            **({"as_it_was": True} if self.as_it_was else {}),
        }

    @classmethod
    def from_wire(cls, data: object) -> Order:
        """Rebuild and check an order.

        Raises:
            DeployError: when a part is missing or has the wrong form.
        """
        if not fields.is_table(data):
            raise DeployError("an order of an unreadable form")
        return cls(**fields.read(data, _ORDER))


def _payloads(data: list[Any]) -> tuple[Payload, ...]:
    return tuple(map(Payload.from_wire, data))


def _is_turns(data: object) -> bool:
    return fields.is_table(data) and all(
        fields.is_text(host) and fields.is_count(turn) for host, turn in data.items()
    )


# -- what may come ----------------------------------------------------------------------------------------

_PAYLOAD = {
    "sha256": fields.Field("a payload without a sha256", _is_sha256),
    "size": fields.Field("a payload without a size", fields.is_count),
    "base": fields.Field(
        "a payload without a base", fields.is_text, lambda base: base and check_commit(base)
    ),
    "kind": fields.Field("a payload without a kind", _is_word, absent="bundle"),
    "brings": fields.Field("a payload that brings no number of bytes", fields.is_count, absent=0),
}
_NO_STAGE = "an order without an epoch or a known stage"
_NO_GROUP = "an order without a group or a number of its attempt"
_ORDER = {
    "release": fields.Field("an order of an unreadable form", fields.is_table, Release.from_wire),
    "deploy": fields.Field("an order without a deploy id", _is_deploy_id),
    "epoch": fields.Field(_NO_STAGE, fields.is_count),
    "stage": fields.Field(_NO_STAGE, fields.one_of(STAGES)),
    "transport": fields.Field("an order without a transport", _is_word),
    "payloads": fields.Field("an order without a list of payloads", fields.is_list, _payloads),
    "group": fields.Field(_NO_GROUP, _is_group),
    "attempt": fields.Field(_NO_GROUP, lambda value: fields.is_count(value) and value > 0),
    "anew": fields.Field(_NO_GROUP, fields.is_flag),
    "back": fields.Field(_NO_GROUP, fields.is_flag, absent=False),
    "sources": fields.Field(make=places.from_wire),
    "turns": fields.Field(
        "an order in which the turns of hosts are no numbers",
        _is_turns,
        lambda turns: tuple(turns.items()),
        absent={},
    ),
    "seal": fields.Field(make=Seal.from_wire),
    "swarm": fields.Field(make=Swarm.from_wire),
    "user": fields.short_text(200),
    "step": fields.Field("an order with a step of no name", _is_group, absent=""),
    "undo": fields.Field(_NO_GROUP, fields.is_flag, absent=False),
    "left": fields.short_text(200),
    "as_it_was": fields.Field(_NO_GROUP, fields.is_flag, absent=False),
}
