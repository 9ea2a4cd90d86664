"""What a master asks of a target (:class:`Order`) and what the target answers (:class:`Result`).

Both cross Salt as plain data. An order comes over Salt's authenticated channel. An answer does not: a minion
can put a return under another minion's name on the master's bus and into its job cache. So an answer
carries a message authentication code under a secret that only that minion and the master share.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from saltdeploy.lib.errors import DeployError, Forged
from saltdeploy.lib.text import legible
from saltdeploy.lib.wire_errors import from_wire, is_status
from saltdeploy.protocol import fanout as places
from saltdeploy.protocol import fields
from saltdeploy.protocol.holdings import Holdings, legal
from saltdeploy.protocol.release import Release, check_commit, check_host
from saltdeploy.protocol.seals import Seal
from saltdeploy.protocol.swarm import Swarm

if TYPE_CHECKING:
    from saltdeploy.protocol.host_lines import HostLine

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
_NUMBERS = ("bytes", "files", "seconds")  # facts that are counted up and shown in columns
_MOST_FACTS = 50
_MOST_PATHS = 20
#: Facts that are lists of paths.
PATHS = ("missing", "changed", "misowned", "extra")


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
        lines, lines_cut: of the host's own log about the stage, and how many older ones there were.
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
    lines: tuple[HostLine, ...] = ()
    lines_cut: int = 0

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
        if self.lines:
            wire["lines"] = [[line.created, line.level, line.text] for line in self.lines]
        if self.lines_cut:
            wire["lines_cut"] = self.lines_cut
        if secret:
            wire["mac"] = _mac(wire, secret)
        return wire

    @classmethod
    def from_wire(cls, data: object) -> Result:
        """Rebuild an answer; what it may leave out and has in a wrong form is left out.

        Raises:
            DeployError: when it has not the form of an answer.
        """
        if not fields.is_table(data) or not is_status(data.get("status")):
            raise DeployError(f"not an answer of this project: {_shown(data)}")
        status, error = data["status"], data.get("error")
        if status and not error:  # a failure without a reason is a failure
            error = {"status": status, "cause": f"the host answered status {status} and no reason"}
        return cls(status=status, error=from_wire(error) if error else None, **fields.read(data, _RESULT))


def _payloads(data: list[Any]) -> tuple[Payload, ...]:
    return tuple(map(Payload.from_wire, data))


def _is_turns(data: object) -> bool:
    return fields.is_table(data) and all(
        fields.is_text(host) and fields.is_count(turn) for host, turn in data.items()
    )


def _part(data: object) -> Result:
    """An answer within an answer; it holds no others."""
    return Result.from_wire({**data, "also": ()} if isinstance(data, dict) else data)


def _parts(data: object) -> tuple[Result, ...]:
    return tuple(map(_part, data[:MOST_REPOS])) if fields.is_list(data) else ()


def _lines(data: object) -> tuple[HostLine, ...]:
    if not data:
        return ()
    from saltdeploy.protocol import host_lines  # most commands read no answer with lines

    return host_lines.from_wire(data)


def _text(most: int) -> fields.Field:
    """A text that is cut short; "" for whatever else came."""
    return fields.Field(make=lambda value: _short(value, most))


def _at_least(least: int) -> fields.Field:
    """A number; the least for whatever else came."""
    return fields.Field(make=lambda value: max(value, least) if fields.is_count(value) else least)


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


_MOST_SHOWN = 300  # characters of a line that is no answer


def _short(value: object, most: int) -> str:
    return legible(value[:most]) if isinstance(value, str) else ""


def _facts(value: object) -> dict[str, Any]:
    """Those that are numbers or short texts, and the list of steps; a number that is not one would end a sum."""
    facts = _flat(value)
    steps = value.get("steps") if isinstance(value, dict) else None
    if isinstance(steps, (list, tuple)):
        facts["steps"] = [_flat(step) for step in steps[:_MOST_FACTS]]
    return facts | _lists(value)


def _lists(value: object) -> dict[str, list[str]]:
    """The lists of paths that a comparison found; each is as long as its host tells it, up to a bound."""
    found = value if isinstance(value, dict) else {}
    return {
        key: [legible(path[:_MOST_SHOWN]) for path in found[key][:_MOST_PATHS] if isinstance(path, str)]
        for key in PATHS
        if isinstance(found.get(key), (list, tuple))
    }


def _flat(value: object) -> dict[str, Any]:
    facts = list(value.items())[:_MOST_FACTS] if isinstance(value, dict) else []
    return {
        legible(key): legible(fact[:4096]) if isinstance(fact, str) else fact
        for key, fact in facts
        if isinstance(key, str)
        and (
            fields.is_number(fact)
            if key in _NUMBERS
            else isinstance(fact, (str, bool)) or fields.is_number(fact)
        )
    }


def _shown(data: object) -> str:
    """The beginning and, where it is a traceback of Salt's, the last line: there stands why."""
    try:
        lines = [line.strip() for line in str(data).splitlines() if line.strip()]
    except (ValueError, RecursionError):  # a number of ten thousand digits, a million brackets
        return type(data).__name__
    first, *rest = [line[:_MOST_SHOWN] for line in (lines[0], lines[-1])[: len(lines)]] if lines else [""]
    return legible(" ... ".join([first, *rest]))


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
    "user": _text(200),
    "step": fields.Field("an order with a step of no name", _is_group, absent=""),
    "undo": fields.Field(_NO_GROUP, fields.is_flag, absent=False),
    "left": _text(200),
    "as_it_was": fields.Field(_NO_GROUP, fields.is_flag, absent=False),
}
#: What came in a wrong form is left out, since an answer must always be read; but whose it is must be known.
_RESULT = {
    "host": fields.Field(make=lambda value: check_host(_short(value, 256))),
    "repo": _text(200),
    "deploy": _text(40),
    "epoch": _at_least(0),
    "stage": _text(20),
    "attempt": _at_least(1),
    "tag": _text(200),
    "commit": fields.Field(make=lambda value: legal(value, check_commit)),
    "holdings": fields.Field(make=Holdings.from_wire),
    "facts": fields.Field(make=_facts),
    "also": fields.Field(make=_parts),
    "job": _text(40),
    "lines": fields.Field(make=_lines),
    "lines_cut": _at_least(0),
}
