"""What one deploy means for Trebuchet's keys in redis, event by event; and a stream of the events themselves. No I/O.

Ricochet, Trigger and ``deploy-info`` read these keys: their names, types and texts are Trebuchet's. What is ours stands
under keys of its own, which begin with ``saltdeploy:``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from saltdeploy.protocol import events

REPOS = "deploy:repos"
LOG = "deploy:log"
STREAM = "saltdeploy:events"

_MOST_LINES = 1000  # of the old log
_AS_TREBUCHET_SAYS = {"fetch": "fetch", "checkout": "checkout", "rollback": "checkout"}

#: Takes every minion out of a set that is not among the arguments, and its hash.
_PRUNE = """
local keep = {}
for _, host in ipairs(ARGV) do keep[host] = true end
for _, host in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    if not keep[host] then
        redis.call('SREM', KEYS[1], host)
        redis.call('DEL', KEYS[1] .. ':' .. host)
    end
end
return 1
"""

Command = tuple[str | int, ...]
"""A command of redis with its arguments."""


def minions_key(repo: str) -> str:
    """The set of a repo's minions."""
    return f"deploy:{repo}:minions"


def minion_key(repo: str, host: str) -> str:
    """The hash of one minion."""
    return f"{minions_key(repo)}:{host}"


def forget(repos: Iterable[str], host: str) -> list[Command]:
    """What takes a host out of these repos."""
    removals: list[Command] = []
    for repo in repos:
        removals += [("SREM", minions_key(repo), host), ("DEL", minion_key(repo, host))]
    return removals


def of_return(function: str, host: str, answer: Any, now: float) -> list[Command]:
    """What the returner ``deploy_redis`` writes for one answer of a minion.

    Args:
        function: the one that the minion has run: ``deploy.fetch``, ``deploy.sync_all`` and the like.
        host: the minion.
        answer: what it returned; anything that is not of Trebuchet's shape writes nothing.
        now: seconds since the epoch.
    """
    stage = function.partition("deploy.")[2]
    if stage == "sync_all" and isinstance(answer, Mapping):
        stats = answer.get("stats")
        parts = stats.items() if isinstance(stats, Mapping) else ()
        found = [(repo, name, each) for repo, calls in parts for name, each in dict(calls).items()]
        return [
            command
            for repo, name, each in found
            for command in of_return(name, host, {"repo": repo, **each}, now)
        ]
    if stage not in ("fetch", "checkout", "restart") or not isinstance(answer, Mapping):
        return []
    repo, status = answer.get("repo"), answer.get("status")
    if not isinstance(repo, str) or status is None:  # a restart of a repo without a service answers {}
        return []
    return [*_member(repo, host), *_answer(repo, host, stage, status, str(answer.get("tag") or ""), now)]


class Projection:
    """One deploy, told to it event by event.

    Args:
        forgotten: host -> the moment, in seconds since the epoch, up to which nothing is known of it any more.
        most_events: that the stream keeps, about.
    """

    def __init__(self, forgotten: Mapping[str, float] | None = None, most_events: int = 100_000) -> None:
        self._forgotten = forgotten or {}
        self._most_events = most_events
        self._action = ""
        self._user = ""
        self._reason = ""
        self._tags: dict[str, str] = {}
        self._hosts: dict[str, list[str]] = {}
        self._whole = False

    def hear(self, event: events.Event) -> list[Command]:
        """What follows from one event, in order. ``planned`` and ``asked`` of a journal are welcome: they name hosts."""
        take = _TAKE.get(str(event.get("event")))
        try:
            commands = take(self, event) if take else []
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ):  # another version wrote it in another form
            commands = []
        if event.get("event") not in events.JOURNAL_ONLY:
            commands.append(self._as_entry(event))
        return commands

    def _as_entry(self, event: events.Event) -> Command:
        about = [str(event.get(key, "")) for key in ("event", "deploy", "repo")]
        data = json.dumps(event, sort_keys=True, default=str)
        limit: Command = ("XADD", STREAM, "MAXLEN", "~", self._most_events, "*")
        return (*limit, "event", about[0], "deploy", about[1], "repo", about[2], "data", data)

    def _started(self, event: events.Event) -> list[Command]:
        parts = events.of_each_repo(event)
        self._action, self._user = str(event.get("action", "")), str(event.get("user", ""))
        self._reason = str(event.get("reason", ""))
        self._whole = not event.get("left_out")
        self._tags = {str(part.get("repo", "")): str(part.get("tag", "")) for part in parts}
        commands: list[Command] = [("SADD", REPOS, repo) for repo in self._tags]
        return commands + self._log("started synchronizing")

    def _planned(self, event: events.Event) -> list[Command]:
        """Hosts that take a repo no more leave it, where the deploy is about all that do."""
        commands: list[Command] = []
        for part in (event.get("script") or {}).get("parts", ()):
            repo = str(part["order"]["release"]["repo"])
            hosts = [host for host in map(str, part["hosts"]) if self._is_known(host, event)]
            self._hosts[repo] = hosts
            if self._whole and hosts:
                commands.append(("EVAL", _PRUNE, 1, minions_key(repo), *hosts))
            commands += [("SADD", minions_key(repo), host) for host in hosts]
        return commands

    def _asked(self, event: events.Event) -> list[Command]:
        stage = self._trebuchets(str(event.get("stage")))
        if not stage:
            return []
        asked = {str(host) for host in event.get("hosts", ()) if self._is_known(str(host), event)}
        began = {f"{stage}_checkin_timestamp": _number(event.get("time"))}
        return [
            _set(repo, host, began) for repo, hosts in self._hosts.items() for host in hosts if host in asked
        ]

    def _host_finished(self, event: events.Event) -> list[Command]:
        host, stage = str(event.get("host", "")), self._trebuchets(str(event.get("stage")))
        if not stage or not self._is_known(host, event):
            return []
        status, now = event.get("status"), float(event.get("time") or 0)
        commands: list[Command] = []
        for part in events.of_each_repo(event):
            repo, live = str(part.get("repo", "")), str(part.get("live_tag") or "")
            tag = live if event.get("stage") == "rollback" else self._tags.get(repo, "")
            commands += _member(repo, host)
            if stage == "restart":
                commands += _answer(repo, host, stage, status == 0, "", now)
            else:
                commands += _answer(repo, host, stage, status, tag, now)
            if (
                status == 0 and event.get("unchanged") and live
            ):  # it is asked for no checkout, for it has made it before
                commands += _answer(repo, host, "checkout", 0, live, now)
        return commands

    def _finished(self, event: events.Event) -> list[Command]:
        return self._log("synchronized") if event.get("outcome") == "CONVERGED" else []

    def _log(self, what: str) -> list[Command]:
        if self._action != "sync":
            return []
        lines = [f"!log {self._user} {what} {tag} '{self._reason}'" for tag in self._tags.values()]
        return [*(("RPUSH", LOG, line) for line in lines), ("LTRIM", LOG, -_MOST_LINES, -1)]

    def _trebuchets(self, stage: str) -> str:
        """Its word for a stage: a way back is a checkout, and what restarts is no checkout; "" for what it has no word for."""
        said = _AS_TREBUCHET_SAYS.get(stage, "")
        return "restart" if said == "checkout" and self._action == "restart" else said

    def _is_known(self, host: str, event: events.Event) -> bool:
        return float(event.get("time") or 0) > self._forgotten.get(host, -1.0)


_TAKE = {
    events.STARTED: Projection._started,
    events.PLANNED: Projection._planned,
    events.ASKED: Projection._asked,
    events.HOST_FINISHED: Projection._host_finished,
    events.FINISHED: Projection._finished,
}


def _member(repo: str, host: str) -> list[Command]:
    return [("SADD", REPOS, repo), ("SADD", minions_key(repo), host)]


def _answer(repo: str, host: str, stage: str, status: Any, tag: str, now: float) -> list[Command]:
    """The tag stands only where the stage succeeded, as Trebuchet had it."""
    told = {f"{stage}_status": str(status), f"{stage}_timestamp": _number(now)}
    if tag and status == 0 and stage in ("fetch", "checkout"):
        told["fetch_tag" if stage == "fetch" else "tag"] = tag
    return [_set(repo, host, told)]


def _set(repo: str, host: str, fields: Mapping[str, str]) -> Command:
    return ("HSET", minion_key(repo, host), *(text for pair in fields.items() for text in pair))


def _number(seconds: Any) -> str:
    return repr(float(seconds or 0))
