"""Who holds what: holders, the scopes of locks, and how a lock is told to an operator."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saltdeploy.config import values
from saltdeploy.lib.errors import BadArguments, BadName
from saltdeploy.lib.text import utc
from saltdeploy.protocol.release import check_repo

GLOBAL = "global"
_LONGEST = 500


@dataclass(frozen=True)
class Holder:
    """Who takes a lock, and why.

    Attributes:
        user: as Salt knows them; a lock by hand belongs to its user, from wherever they come.
        host, pid: where it was taken.
        deploy: the id of the deploy that takes it; "" for a lock by hand.
        reason: in the operator's words.
    """

    user: str
    host: str
    pid: int
    deploy: str = ""
    reason: str = ""

    @classmethod
    def here(cls, user: str, *, deploy: str = "", reason: str = "") -> Holder:
        """This process, for ``user``."""
        return cls(line(user), socket.gethostname(), os.getpid(), deploy, line(reason))


@dataclass(frozen=True)
class Lock:
    """A lock: taken by hand, or by a deploy that runs.

    Attributes:
        scope: ``global``, ``repo:<repo>`` or ``group:<repo>/<group>``.
        holder: see :class:`Holder`.
        since: seconds since the epoch.
        until: when a lock by hand ends by itself; None: when somebody unlocks it.
        token: tells two takings of one scope apart.
    """

    scope: str
    holder: Holder
    since: float
    until: float | None = None
    token: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The lock as plain data, the holder's fields among its own."""
        own = asdict(self)
        return {**own.pop("holder"), **own}

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Lock:
        """Rebuild a lock from a store or a note; what is missing there is not known."""
        holder = Holder(
            user=line(data.get("user") or "somebody"),
            host=line(data.get("host") or "?"),
            pid=int(data.get("pid") or 0),
            deploy=line(data.get("deploy")),
            reason=line(data.get("reason")),
        )
        until = data.get("until")
        return cls(
            scope=line(data.get("scope")),
            holder=holder,
            since=float(data.get("since") or 0),
            until=None if until is None else float(until),
            token=line(data.get("token")),
        )

    def __str__(self) -> str:
        """One sentence, in scap's words where it has them."""
        who = self.holder
        reason = who.reason or "(no justification provided)"
        if not who.pid:  # who took it has not written its name there yet, or the file was damaged since
            return (
                f"{self.scope} is locked by a process that has not said who it is, or whose note is damaged"
            )
        said = [
            f'{self.scope} is locked by {who.user} (pid {who.pid}) on {utc(self.since)}; reason is "{reason}"'
        ]
        said += [f"on host {who.host}"]
        said += [f"deploy {who.deploy}"] if who.deploy else []
        said += [f"until {utc(self.until)}"] if self.until is not None else []
        return ", ".join(said)


def scope_of(repo: str = "", group: str = "") -> str:
    """The scope of a repo, of one of its groups, or of everything.

    Raises:
        BadArguments: a group without a repo.
        BadName: a name is not legal.
    """
    if not repo:
        if group:
            raise BadArguments("a group needs its repo", next=f"repo=R group={line(group)}")
        return GLOBAL
    check_repo(repo)
    if not group:
        return f"repo:{repo}"
    try:
        return f"group:{repo}/{values.name(group)}"
    except values.Wrong as error:
        raise BadName(f"{group[:80]!r} is not a legal name of a group: {error}", repo=repo) from None


def parts_of(scope: str) -> tuple[str, str]:
    """``(repo, group)`` of a scope; both "" for everything.

    Raises:
        BadArguments, BadName: it is not a scope.
    """
    kind, _, rest = scope.partition(":")
    repo, group = rest, ""
    if kind == "group":
        repo, _, group = rest.rpartition("/")
    if kind not in (GLOBAL, "repo", "group") or scope != scope_of(repo, group):
        raise BadArguments(f"{line(scope)!r} is not a scope: global, repo:<repo> or group:<repo>/<group>")
    return repo, group


def scopes_over(repo: str, groups: Iterable[str]) -> list[str]:
    """Every scope whose lock stops a deploy of these groups."""
    return [GLOBAL, scope_of(repo), *(scope_of(repo, group) for group in groups)]


def command(function: str, scope: str) -> str:
    """The runner command that concerns a scope."""
    repo, group = parts_of(scope)
    words = [f"salt-run deploy.{function}", f"repo={repo}" if repo else "", f"group={group}" if group else ""]
    return " ".join(filter(None, words))


def process(pid: int, *, torn: bool) -> Holder:
    """A process of this host that holds a lock file in which another name stands, or none.

    Args:
        torn: whether what stands there is damaged, so that the process may well be a deploy.
    """
    command, user = "", "somebody"
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    with contextlib.suppress(OSError, KeyError):
        user = pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name
    what = "that may be a deploy, as its note is damaged" if torn else "that is no deploy"
    return Holder(line(user), socket.gethostname(), pid, reason=line(f"held by a process {what}: {command}"))


def started(pid: int) -> float:
    """When the process began, in seconds since the epoch; 0 where it is gone."""
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{pid}").st_ctime
    return 0.0


def line(value: object) -> str:
    """A text of people as one line that does nothing to a terminal; None is no text."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST]).strip()
