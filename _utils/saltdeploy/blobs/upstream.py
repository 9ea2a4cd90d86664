"""Where a release itself says that its contents are: ``.lfsconfig`` and ``.gitfat``, or the repository's own server.

What a release says is not trusted to be harmless: it chooses a server, and no program and no option.
"""

from __future__ import annotations

import re
from pathlib import Path

from saltdeploy import disk, origins
from saltdeploy.blobs.files import Directory, Site
from saltdeploy.blobs.lfs import LfsServer
from saltdeploy.blobs.rsync import SSH, Rsync
from saltdeploy.blobs.sources import Source
from saltdeploy.errors import Corrupt
from saltdeploy.gitcommand import settings
from saltdeploy.origins import FAT, LFS

_MOST = 65_536  # bytes of a configuration file
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")
_PORT = re.compile(r"[0-9]{1,5}")


def named(place: str) -> Source:
    """The source that an operator's word means; it was checked."""
    if (server := origins.LFS_SERVER.match(place)) is not None:
        return LfsServer(place[server.end() :])
    if place.startswith("/"):
        return Directory(place)
    return Site(place) if origins.WEB.match(place) else Rsync(place)


def of_release(kind: str, tree: Path, url: str) -> list[Source]:
    """The sources that a release names for one kind; none for git-annex, which knows its remotes by their ids only.

    Args:
        tree: of the release.
        url: the repository that targets fetch from.

    Raises:
        Corrupt: its configuration file cannot be read.
    """
    if kind == LFS:
        return _lfs(_read(tree, ".lfsconfig").get("lfs.url", ""), url)
    return _fat(_read(tree, ".gitfat")) if kind == FAT else []


def _lfs(said: str, url: str) -> list[Source]:
    """git-lfs, docs/api/server-discovery.md; over http only."""
    if origins.WEB.match(said):
        return [LfsServer(said)]
    if said or not origins.WEB.match(url):
        return []
    bare = url.rstrip("/")
    return [LfsServer(f"{bare if bare.endswith('.git') else f'{bare}.git'}/info/lfs")]


def _fat(said: dict[str, str]) -> list[Source]:
    """git-fat, README: sections ``rsync`` and ``http``."""
    sources: list[Source] = []
    remote, site = said.get("rsync.remote", ""), said.get("http.remote", "")
    if _is_legal(remote) and origins.RSYNC.match(remote):
        port, user = said.get("rsync.sshport", ""), said.get("rsync.sshuser", "")
        ssh = [
            SSH,
            *(["-p", port] if _PORT.fullmatch(port) else []),
            *(["-l", user] if _USER.fullmatch(user) else []),
        ]
        sources.append(Rsync(remote, " ".join(ssh)))
    elif _is_legal(remote) and remote.startswith("/"):
        sources.append(Directory(remote))
    if origins.WEB.match(site):
        sources.append(Site(site))
    return sources


def _is_legal(remote: str) -> bool:
    try:
        return bool(origins.source(FAT, remote))
    except ValueError:
        return False


def _read(tree: Path, name: str) -> dict[str, str]:
    try:
        return settings(disk.read_below(tree, name, _MOST) or b"")
    except Corrupt as error:
        raise Corrupt(
            f"{name} of the release cannot be used: {error.cause}", path=name, next="mend it in a new release"
        ) from error
