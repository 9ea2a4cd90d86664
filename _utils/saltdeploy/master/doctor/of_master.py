"""Checks of the master: its configuration, its pillar, what it runs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from saltdeploy.git.repository import git_version
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import size
from saltdeploy.master.doctor.seen import Finding, Seen

FILE_SERVER, EXT_PILLAR = "deploy_payloads", "deploy_pins"
_RESTART = "systemctl restart salt-master"
_LEAST_FREE = 200_000_000  # bytes; the master packs releases there


def runs(seen: Seen) -> Iterator[Finding]:
    """Whether the master is there."""
    if seen.bus_error is not None:
        yield Finding(f"the master does not answer: {seen.bus_error.cause}", "systemctl start salt-master")


def file_server(seen: Seen) -> Iterator[Finding]:
    """Whether it is told to serve payloads."""
    given = seen.settings.file_servers
    if FILE_SERVER not in given:
        whole = ", ".join([*given, FILE_SERVER])
        yield Finding(
            f"fileserver_backend in the master's configuration lacks {FILE_SERVER}: targets cannot fetch releases",
            f"write 'fileserver_backend: [{whole}]' into {seen.settings.include}/deploy.conf, then {_RESTART}",
        )


def file_server_loads(seen: Seen) -> Iterator[Finding]:
    """Whether Salt finds the file server's door."""
    if "fileserver" not in seen.settings.loads:
        yield _not_found(f"_fileserver/{FILE_SERVER}.py")


def ext_pillar(seen: Seen) -> Iterator[Finding]:
    """Whether it is told to give minions their pins and secrets."""
    if EXT_PILLAR not in seen.settings.ext_pillars:
        more = ", ".join(seen.settings.ext_pillars)
        beside = f", beside what is there ({more})" if more else ""
        yield Finding(
            f"ext_pillar in the master's configuration lacks {EXT_PILLAR}: answers are not signed, and hosts that "
            "were away do not come back",
            f"write 'ext_pillar: [{{{EXT_PILLAR}: {{}}}}]' into {seen.settings.include}/deploy.conf{beside}, then "
            f"{_RESTART}; salt '*' saltutil.refresh_pillar",
        )


def ext_pillar_loads(seen: Seen) -> Iterator[Finding]:
    """Whether Salt finds the ext_pillar's door; a directory ``pillar`` beside it hides it."""
    if "pillar" not in seen.settings.loads:
        yield _not_found(
            f"_pillar/{EXT_PILLAR}.py", "; with module_dirs also 'pillar_dirs: [<checkout>/_pillar]'"
        )


def _not_found(door: str, more: str = "") -> Finding:
    return Finding(
        f"Salt does not find {door} of this project on the master",
        f"salt-run saltutil.sync_all, then {_RESTART}{more}; see docs/installation.md",
    )


def pillar_cache(seen: Seen) -> Iterator[Finding]:
    """Whether minions get the pillar of now."""
    if seen.settings.pillar_cache:
        yield Finding(
            "the master keeps pillars (pillar_cache: True): a host that was away is told an old release",
            f"set 'pillar_cache: False' in {seen.settings.config}, then {_RESTART}; salt-run pillar.clear_pillar_cache",
        )


def pillar_renders(seen: Seen) -> Iterator[Finding]:
    """Whether the pillar can be compiled for the master's own id."""
    if seen.pillar_error is not None:
        yield Finding(
            seen.pillar_error.cause,
            f"salt-run pillar.show_pillar {seen.settings.id}; correct the file that it names",
        )


def has_repos(seen: Seen) -> Iterator[Finding]:
    """Whether the pillar that is compiled for the master's own id holds the repo, or any."""
    section = (seen.pillar or {}).get("repo_config")
    names = [str(name) for name in section] if isinstance(section, dict) else []
    if seen.pillar is None or (seen.wanted in names if seen.wanted else names):
        return
    top = f"{seen.settings.pillar_root}/top.sls"
    compiled = f"the pillar that is compiled for the master's own minion id {seen.settings.id!r}"
    if not names:
        yield Finding(
            f"{compiled} has no repo_config",
            f"name the pillar file of the repos under '*' (or {seen.settings.id!r}) in {top}; none yet: "
            f"salt-run deploy.init repo={seen.wanted or '...'} source=... write=True",
        )
        return
    yield Finding(
        f"{compiled} has no repo {seen.wanted!r}; it has {', '.join(sorted(names)[:10])}",
        f"add it to repo_config (salt-run deploy.init repo={seen.wanted} source=...), or let {top} give "
        f"its file to {seen.settings.id!r} too",
        repo=seen.wanted,
    )


def git(seen: Seen) -> Iterator[Finding]:
    """Whether git can be used."""
    try:
        git_version()
    except DeployError as error:
        yield Finding(error.cause, "apt-get install git (2.25 or newer) on the master")


def git_python(seen: Seen) -> Iterator[Finding]:
    """Whether git's progress can be read."""
    if importlib.util.find_spec("git") is None:
        yield Finding("GitPython is not installed on the master", "salt-pip install GitPython")


def directory(seen: Seen) -> Iterator[Finding]:
    """Whether this user may write where the master keeps deploys, and whether there is room."""
    root = seen.settings.root
    here = next(each for each in (root, *root.parents) if each.exists())
    if not os.access(here, os.W_OK | os.X_OK):
        yield Finding(
            f"user {seen.settings.user} may not write {here}, where the master keeps deploys",
            f"run salt-run as the master's user, or chown -R {seen.settings.user} {here}",
        )
    found = os.statvfs(here)
    free = found.f_bavail * found.f_frsize
    if free < _LEAST_FREE:
        yield Finding(
            f"{here} has {size(free)} left, and releases are packed there",
            f"salt-run deploy.gc; df -h {here}",
        )


def keys(seen: Seen) -> Iterator[Finding]:
    """Whether minions wait to be accepted."""
    if seen.settings.waiting:
        names = ", ".join(seen.settings.waiting[:10])
        yield Finding(
            f"{len(seen.settings.waiting)} minions wait for their key to be accepted: {names}",
            f"salt-key -f {seen.settings.waiting[0]}; then salt-key -a {seen.settings.waiting[0]}",
        )
