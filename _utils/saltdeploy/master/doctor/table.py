"""All checks, in the order in which they are gone through. What an earlier one explains, a later one does not repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from saltdeploy.master.doctor import of_hosts, of_master, of_repos
from saltdeploy.master.doctor.seen import Finding, Seen


@dataclass(frozen=True)
class SetupCheck:
    """One check.

    Attributes:
        name: what is looked at, in words.
        find: what is wrong.
        unless: names of checks; where one of these has found something, that is the reason, and this one is left out.
    """

    name: str
    find: Callable[[Seen], Iterable[Finding]]
    unless: tuple[str, ...] = ()


CHECKS: tuple[SetupCheck, ...] = (
    SetupCheck("the master runs", of_master.runs),
    SetupCheck("file server: configured", of_master.file_server),
    SetupCheck("file server: installed", of_master.file_server_loads),
    SetupCheck("ext_pillar: configured", of_master.ext_pillar),
    SetupCheck("ext_pillar: installed", of_master.ext_pillar_loads),
    SetupCheck("pillar cache", of_master.pillar_cache),
    SetupCheck("pillar: renders", of_master.pillar_renders),
    SetupCheck("pillar: has the repo", of_master.has_repos, unless=("pillar: renders",)),
    SetupCheck("git on the master", of_master.git),
    SetupCheck("GitPython on the master", of_master.git_python),
    SetupCheck("the master's directory", of_master.directory),
    SetupCheck("keys", of_master.keys),
    SetupCheck("repo: configuration", of_repos.configuration),
    SetupCheck("repo: source", of_repos.source, unless=("git on the master",)),
    SetupCheck("repo: programs on the master", of_repos.packers),
    SetupCheck("repo: URLs", of_repos.urls),
    SetupCheck("repo: keys, dependencies, layout", of_repos.settings),
    SetupCheck("repo: targets", of_repos.targets),
    SetupCheck("target: answers", of_hosts.answers),
    SetupCheck("target: blackout", of_hosts.blackout),
    SetupCheck("target: modules", of_hosts.extension),
    SetupCheck("target: version", of_hosts.version),
    SetupCheck("target: pillar", of_hosts.pillar, unless=("pillar: renders",)),
    SetupCheck("target: secret", of_hosts.secret, unless=("ext_pillar: configured", "ext_pillar: installed")),
    SetupCheck(
        "target: signature",
        of_hosts.signature,
        unless=("ext_pillar: configured", "ext_pillar: installed", "target: secret"),
    ),
    SetupCheck(
        "target: payloads", of_hosts.payloads, unless=("file server: configured", "file server: installed")
    ),
    SetupCheck("target: git", of_hosts.git),
    SetupCheck("target: programs", of_hosts.programs),
    SetupCheck("target: configuration", of_hosts.configuration, unless=("repo: configuration",)),
    SetupCheck("target: rights", of_hosts.rights),
    SetupCheck("target: disk", of_hosts.disk),
    SetupCheck("target: clock", of_hosts.clock),
)
