"""What a target answers to an order (:class:`Result`), and how the master knows that it is the target's own answer.

It crosses Salt as plain data, and not over an authenticated channel: a minion can put a return under another
minion's name on the master's bus and into its job cache. So an answer carries a message authentication code under a
secret that only that minion and the master share.
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
from saltdeploy.protocol import fields
from saltdeploy.protocol.holdings import Holdings, legal
from saltdeploy.protocol.orders import MOST_REPOS, Order
from saltdeploy.protocol.release import check_commit, check_host

if TYPE_CHECKING:
    from saltdeploy.protocol.host_lines import HostLine

_NUMBERS = ("bytes", "files", "seconds")  # facts that are counted up and shown in columns
_MOST_FACTS = 50
_PATHS = ("missing", "changed", "misowned", "extra")  # facts that are lists of paths
_MOST_PATHS = 20  # of each
_LONGEST_PATH = 300  # characters
_MOST_SHOWN = 300  # characters of a line that is no answer


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
    given = fields.short(wire.get("mac"), 64).encode("utf-8", "replace")
    try:
        return hmac.compare_digest(given, _mac(wire, secret).encode())
    except (TypeError, ValueError, RecursionError):  # bytes, a loop, a million brackets: no host signs that
        return False


def _mac(wire: Any, secret: str) -> str:
    signed = {key: value for key, value in wire.items() if key != "mac"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


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


def _at_least(least: int) -> fields.Field:
    """A number; the least for whatever else came."""
    return fields.Field(make=lambda value: max(value, least) if fields.is_count(value) else least)


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
        key: [legible(path[:_LONGEST_PATH]) for path in found[key][:_MOST_PATHS] if isinstance(path, str)]
        for key in _PATHS
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


#: What came in a wrong form is left out, since an answer must always be read; but whose it is must be known.
_RESULT = {
    "host": fields.Field(make=lambda value: check_host(fields.short(value, 256))),
    "repo": fields.short_text(200),
    "deploy": fields.short_text(40),
    "epoch": _at_least(0),
    "stage": fields.short_text(20),
    "attempt": _at_least(1),
    "tag": fields.short_text(200),
    "commit": fields.Field(make=lambda value: legal(value, check_commit)),
    "holdings": fields.Field(make=Holdings.from_wire),
    "facts": fields.Field(make=_facts),
    "also": fields.Field(make=_parts),
    "job": fields.short_text(40),
    "lines": fields.Field(make=_lines),
    "lines_cut": _at_least(0),
}
