"""The manifest of a release that lies on no disk of ours as a work tree: found by reading the contents that have changed.

A catalogue is a :class:`saltdeploy.content.manifest.Manifest`. It is brought from the release that it was about to another one, so
it costs what differs between the two, and it is as large as one release is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

from saltdeploy.config.exclude import NOTHING_LEFT_OUT, LeftOut
from saltdeploy.content import pointers
from saltdeploy.content.compare import Sums
from saltdeploy.content.database import remove
from saltdeploy.content.manifest import Manifest
from saltdeploy.content.source import Contents, ContentStream, supplied
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.git.objects import GITLINK, NOTHING, Change, read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.lib.errors import Corrupt


def root_of(path: Path, commit: str, reader: Reader, contents: Contents, kinds: Collection[str] = (),
            left_out: LeftOut = NOTHING_LEFT_OUT) -> str:  # fmt: skip
    """Bring a catalogue to a release, and return the release's root; one that is damaged is rebuilt.

    Args:
        path: the catalogue's database. Only one process at a time uses it.
        reader: knows the commit and its trees.
        contents: where the contents of its files are.
        kinds: of pointers whose place their contents take on a disk.
        left_out: what is no part of the release's trees. A catalogue is always asked with the same.

    Raises:
        Corrupt: a content is not there, or is not what its blob says; or a pointer cannot be read.
        GitFailed, DiskFull, NoPermission: see :class:`saltdeploy.content.manifest.Manifest`.
    """
    try:
        return _brought(path, commit, reader, contents, kinds, left_out)
    except Unreadable:
        remove(path)
        return _brought(path, commit, reader, contents, kinds, left_out)


def _brought(path: Path, commit: str, reader: Reader, contents: Contents, kinds: Collection[str],
             left_out: LeftOut) -> str:  # fmt: skip
    with Manifest(path) as manifest:
        base = manifest.commit()
        if base == commit and manifest.root():
            return manifest.root()
        with manifest.transaction(), tempfile.TemporaryDirectory() as nothing:
            if not (base and manifest.root() and reader.has(base)):
                manifest.clear()
                base = ""
            with supplied(reader, base, commit, contents, Path(nothing), left_out=left_out) as (
                changes,
                supply,
            ):
                # all of these first: a path may go as a file of a directory and come as one of a submodule
                for change in read_changes(changes):
                    if change.mode == NOTHING:
                        manifest.drop(change.path)
                for change in read_changes(changes):
                    if change.mode != NOTHING:
                        _note(change, supply, manifest, contents, kinds)
            manifest.put_commit(commit)
            return manifest.seal()


def _note(
    change: Change, supply: ContentStream, manifest: Manifest, contents: Contents, kinds: Collection[str]
) -> None:
    if change.mode == GITLINK:
        manifest.note(change.path, change.mode, change.oid, 0, bytes.fromhex(change.oid))
        return
    size, pieces = supply.next(change)
    sums = Sums(size, len(change.oid))
    data = b""
    for piece in pieces:
        sums.update(piece)
        if kinds and size <= pointers.MOST:
            data += piece
    if sums.oid != change.oid:
        raise Corrupt(
            f"other bytes are there than those of blob {change.oid} ({change.path.decode('utf-8', 'backslashreplace')})",
            path=contents.place,
            next=contents.advice,
        )
    pointer = pointers.at(change.path, change.mode, data, kinds) if data else None
    if pointer is not None:
        found = bytes.fromhex(pointer.digest)
        manifest.note(change.path, change.mode, change.oid, pointer.size, found, data)
    else:
        manifest.note(change.path, change.mode, change.oid, size, sums.sha256)
