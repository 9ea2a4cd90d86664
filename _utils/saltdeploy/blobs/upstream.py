"""Where a release itself says that its contents are: ``.lfsconfig`` and ``.gitfat``, or the repository's own server.

What a release says is not trusted to be harmless: it chooses a server, and no program and no option.
"""

from __future__ import annotations

import re
from pathlib import Path

from saltdeploy.blobs.directory import Directory, WebDirectory
from saltdeploy.blobs.lfs import LfsServer
from saltdeploy.blobs.rsync import RsyncSource
from saltdeploy.blobs.source import BlobSource, Cap
from saltdeploy.config import blobs, plugins, pointers
from saltdeploy.git.command import settings
from saltdeploy.lib import disk, rsync
from saltdeploy.lib.errors import Corrupt

_MOST = 65_536  # bytes of a configuration file
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")
_PORT = re.compile(r"[0-9]{1,5}")


def named(place: str, cap: Cap) -> BlobSource:
    """The source that an operator's word means; it was checked.

    Args:
        cap: what may come.
    """
    if (server := blobs.LFS_SERVER.match(place)) is not None:
        return LfsServer(place[server.end() :], cap)
    if place.startswith("/"):
        return Directory(place)
    return WebDirectory(place, cap) if blobs.WEB.match(place) else RsyncSource(place, cap)


def of_release(kind: str, tree: Path, url: str, cap: Cap) -> list[BlobSource]:
    """The sources that a release names for one kind; see :class:`saltdeploy.config.pointers.PointerKind`.

    Args:
        tree: of the release.
        url: the repository that targets fetch from.
        cap: as for :func:`named`.

    Raises:
        Corrupt: its configuration file cannot be read.
    """
    place = pointers.row(kind).upstream
    sources: list[BlobSource] = (
        plugins.resolve(place, f"kind of pointers {kind}")(tree, url, cap) if place else []
    )
    return sources


def lfs(tree: Path, url: str, cap: Cap) -> list[BlobSource]:
    """git-lfs, docs/api/server-discovery.md; over http only."""
    said = _read(tree, ".lfsconfig").get("lfs.url", "")
    if blobs.WEB.match(said):
        return [LfsServer(said, cap)]
    if said or not blobs.WEB.match(url):
        return []
    bare = url.rstrip("/")
    return [LfsServer(f"{bare if bare.endswith('.git') else f'{bare}.git'}/info/lfs", cap)]


def fat(tree: Path, url: str, cap: Cap) -> list[BlobSource]:  # noqa: ARG001 - what each kind is asked with
    """git-fat, README: sections ``rsync`` and ``http``."""
    said = _read(tree, ".gitfat")
    sources: list[BlobSource] = []
    place, site = said.get("rsync.remote", ""), said.get("http.remote", "")
    if _is_legal(place) and blobs.RSYNC.match(place):
        port, user = said.get("rsync.sshport", ""), said.get("rsync.sshuser", "")
        ssh = [
            rsync.SSH,
            *(["-p", port] if _PORT.fullmatch(port) else []),
            *(["-l", user] if _USER.fullmatch(user) else []),
        ]
        sources.append(RsyncSource(place, cap, " ".join(ssh)))
    elif _is_legal(place) and place.startswith("/"):
        sources.append(Directory(place))
    if blobs.WEB.match(site):
        sources.append(WebDirectory(site, cap))
    return sources


def _is_legal(place: str) -> bool:
    try:
        return bool(blobs.source(pointers.row(pointers.FAT), place))
    except ValueError:
        return False


def _read(tree: Path, name: str) -> dict[str, str]:
    try:
        return settings(disk.read_below(tree, name, _MOST) or b"")
    except Corrupt as error:
        raise Corrupt(
            f"{name} of the release cannot be used: {error.cause}", path=name, next="mend it in a new release"
        ) from error
