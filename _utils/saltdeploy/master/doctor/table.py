"""All checks, in the order in which they are gone through. What an earlier one explains, a later one does not repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from saltdeploy.master.doctor import of_disks, of_hosts, of_master, of_repos
from saltdeploy.master.doctor.seen import Finding, Seen


@dataclass(frozen=True)
class SetupCheck:
    """One check.

    Attributes:
        name: what is looked at, in words.
        find: what is wrong.
        needs: why it cannot be told; "" where it can.
        unless: names of checks; where one of these has found something, that is the reason, and this one cannot tell.
    """

    name: str
    find: Callable[[Seen], Iterable[Finding]]
    needs: Callable[[Seen], str] = lambda seen: ""
    unless: tuple[str, ...] = ()


def _pillar(seen: Seen) -> str:
    return "" if seen.pillar is not None else "the pillar does not render"


def _repos(seen: Seen) -> str:
    return "" if seen.repos else "there is no repo to look at"


def _bus(seen: Seen) -> str:
    if seen.master is not None:
        return _repos(seen)
    return "first: the master runs" if seen.bus_error else "first: the master's directory"


def _targets(seen: Seen) -> str:
    return _bus(seen) or ("" if seen.answers else "there is no target to ask")


def _answers(seen: Seen) -> str:
    return _targets(seen) or ("" if seen.alive else "no target has answered")


def _served(seen: Seen) -> str:
    if not any(each.ping for each in seen.answers):
        return _targets(seen) or "no target has answered"
    nothing = all(each.served is False for each in seen.answers)
    return "the master cannot write a payload to try it with" if nothing else ""


_SECRETS = ("ext_pillar is configured", "ext_pillar is installed")
_SERVER = ("the file server is configured", "the file server is installed")

CHECKS: tuple[SetupCheck, ...] = (
    SetupCheck("the master runs", of_master.runs),
    SetupCheck(_SERVER[0], of_master.file_server),
    SetupCheck(_SERVER[1], of_master.file_server_loads),
    SetupCheck(_SECRETS[0], of_master.ext_pillar),
    SetupCheck(_SECRETS[1], of_master.ext_pillar_loads),
    SetupCheck("the outputter is installed", of_master.output_loads),
    SetupCheck("the pillar cache is off", of_master.pillar_cache),
    SetupCheck("the pillar renders", of_master.pillar_renders),
    SetupCheck("the pillar has the repo", of_master.has_repos, _pillar),
    SetupCheck("git on the master", of_master.git),
    SetupCheck("GitPython on the master", of_master.git_python),
    SetupCheck("the master's directory", of_disks.of_the_master),
    SetupCheck("keys of minions", of_master.keys),
    SetupCheck("repo: its pillar is valid", of_repos.configuration, _pillar),
    SetupCheck("repo: its source has tags", of_repos.source, _repos, ("git on the master",)),
    SetupCheck("repo: programs on the master", of_repos.packers, _repos),
    SetupCheck("repo: URLs for targets", of_repos.urls, _repos),
    SetupCheck("repo: keys, dependencies, layout", of_repos.settings, _bus),
    SetupCheck("repo: it has targets", of_repos.targets, _bus),
    SetupCheck("target: it answers", of_hosts.answers, _targets),
    SetupCheck("target: hosts without a minion", of_hosts.over_ssh, _targets),
    SetupCheck("target: no blackout", of_hosts.blackout, _targets),
    SetupCheck("target: modules", of_hosts.extension, _targets),
    SetupCheck("target: version", of_hosts.version, _answers),
    SetupCheck("target: states and grains", of_hosts.doors, _answers),
    SetupCheck("target: its pillar has the repo", of_hosts.pillar, _answers),
    SetupCheck(
        "target: its pillar is valid", of_hosts.configuration, _answers, ("repo: its pillar is valid",)
    ),
    SetupCheck("target: it has its secret", of_hosts.secret, _answers, _SECRETS),
    SetupCheck(
        "target: its signature", of_hosts.signature, _answers, (*_SECRETS, "target: it has its secret")
    ),
    SetupCheck("target: it gets payloads", of_hosts.payloads, _served, _SERVER),
    SetupCheck("target: git", of_hosts.git, _answers),
    SetupCheck("target: programs", of_hosts.programs, _answers),
    SetupCheck("target: rights", of_disks.rights, _answers),
    SetupCheck("target: what its user may do", of_hosts.user, _answers),
    SetupCheck("target: disk", of_disks.room, _answers),
    SetupCheck("target: clock", of_hosts.clock, _answers),
)
