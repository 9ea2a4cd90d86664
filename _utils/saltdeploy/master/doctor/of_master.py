"""Checks of the master: its configuration, its pillar, what it runs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from saltdeploy.git.repository import git_version
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.spelling import argument
from saltdeploy.master.doctor.seen import Finding, Seen

FILE_SERVER, EXT_PILLAR = "deploy_payloads", "deploy_pins"
_RESTART = "systemctl restart salt-master"


def runs(seen: Seen) -> Iterator[Finding]:
    """Whether the master is there."""
    if seen.bus_error is not None:
        yield Finding(f"the master does not answer: {seen.bus_error.cause}", "systemctl restart salt-master")


def file_server(seen: Seen) -> Iterator[Finding]:
    """Whether it is told to serve payloads."""
    given = seen.settings.file_servers
    if FILE_SERVER not in given:
        yield Finding(
            f"fileserver_backend in the master's configuration lacks {FILE_SERVER}: targets cannot fetch releases",
            f"{_written(seen, FILE_SERVER, {'fileserver_backend': [*given, FILE_SERVER]})} && {_RESTART}",
        )


def file_server_loads(seen: Seen) -> Iterator[Finding]:
    """Whether Salt finds the file server's door."""
    if "fileserver" not in seen.settings.loads:
        yield _not_found(f"_fileserver/{FILE_SERVER}.py")


def ext_pillar(seen: Seen) -> Iterator[Finding]:
    """Whether it is told to give minions their pins and secrets."""
    if EXT_PILLAR not in seen.settings.ext_pillars:
        said = {"ext_pillar": [*seen.settings.given, {EXT_PILLAR: {}}]}
        yield Finding(
            f"ext_pillar in the master's configuration lacks {EXT_PILLAR}: answers are not signed, and hosts that "
            "were away do not come back",
            f"{_written(seen, EXT_PILLAR, said)} && {_RESTART} && sleep 10 && salt '*' saltutil.refresh_pillar",
        )


def _written(seen: Seen, name: str, said: dict[str, Any]) -> str:
    """A file of its own, with all that the list holds: Salt joins the lists of such files, and they hide the main file's."""
    place = shlex.quote(str(seen.settings.include / f"{name}.conf"))
    return f"echo {shlex.quote(json.dumps(said))} > {place}"


def ext_pillar_loads(seen: Seen) -> Iterator[Finding]:
    """Whether Salt finds the ext_pillar's door; a directory ``pillar`` beside it hides it."""
    if "pillar" not in seen.settings.loads:
        yield _not_found(
            f"_pillar/{EXT_PILLAR}.py", "with module_dirs set 'pillar_dirs: [<checkout>/_pillar]' as well"
        )


def output_loads(seen: Seen) -> Iterator[Finding]:
    """Whether Salt finds the door that shows results to people."""
    if "output" not in seen.settings.loads:
        yield _not_found("_output/deploy.py")


def _not_found(door: str, more: str = "") -> Finding:
    by_hand = f"copy {door.partition('/')[0]} of the checkout into file_roots of the master"
    return Finding(
        f"Salt does not find {door} of this project on the master",
        f"salt-run saltutil.sync_all && {_RESTART}",
        by_hand=f"{by_hand} ({more})" if more else by_hand,
    )


def pillar_cache(seen: Seen) -> Iterator[Finding]:
    """Whether minions get the pillar of now."""
    if seen.settings.pillar_cache:
        yield Finding(
            "the master keeps pillars (pillar_cache: True): a host that was away is told an old release",
            f"{_written(seen, 'pillar_cache', {'pillar_cache': False})} && {_RESTART} && sleep 10 && "
            "salt '*' saltutil.refresh_pillar",
        )


def pillar_renders(seen: Seen) -> Iterator[Finding]:
    """Whether the pillar can be compiled for the master's own id."""
    if seen.pillar_error is not None:
        yield Finding(
            seen.pillar_error.cause,
            f"salt-run pillar.show_pillar {seen.settings.id}",
            by_hand="correct the file that it names",
        )


def has_repos(seen: Seen) -> Iterator[Finding]:
    """Whether the pillar that is compiled for the master's own id holds the repo, or any."""
    section = (seen.pillar or {}).get("repo_config")
    names = [str(name) for name in section] if isinstance(section, dict) else []
    if seen.pillar is None or (seen.wanted in names if seen.wanted else names):
        return
    top = f"{seen.settings.pillar_root}/top.sls"
    compiled = f"the pillar that is compiled for the master's own minion id {seen.settings.id!r}"
    wanted = f"{argument('repo', seen.wanted)} source=..." if seen.wanted else "repo=... source=..."
    begin = f"salt-run deploy.init {wanted} write=True"
    if not names:
        yield Finding(
            f"{compiled} has no repo_config",
            begin,
            by_hand=f"name the file with repo_config under '*' (or {seen.settings.id!r}) in {top}; none yet",
        )
        return
    yield Finding(
        f"{compiled} has no repo {seen.wanted!r}; it has {', '.join(sorted(names)[:10])}",
        begin,
        repo=seen.wanted,
        by_hand=f"let {top} give the repo's file to {seen.settings.id!r} too; none yet",
    )


def git(seen: Seen) -> Iterator[Finding]:
    """Whether git can be used."""
    try:
        git_version()
    except DeployError as error:
        yield Finding(error.cause, "salt-call --local pkg.install git")


def git_python(seen: Seen) -> Iterator[Finding]:
    """Whether git's progress can be read."""
    if not seen.settings.has_git_python:
        yield Finding("GitPython is not installed on the master", "salt-pip install GitPython")


def keys(seen: Seen) -> Iterator[Finding]:
    """Whether minions wait to be accepted, or came with a key that is not theirs."""
    for host in seen.settings.waiting:
        yield Finding(
            f"minion {host} waits for its key to be accepted",
            f"salt-key -f {shlex.quote(host)} && salt-key -a {shlex.quote(host)}",
        )
    for host in seen.settings.denied:
        yield Finding(
            f"minion {host} came with another key than the one that is accepted: it was installed anew, or it is an impostor",
            f"salt-key -d {shlex.quote(host)} && sleep 15 && salt-key -a {shlex.quote(host)}",
            by_hand="find out which",
        )
