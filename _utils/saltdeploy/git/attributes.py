"""Of which files git would make others when it checks them out: hosts get blobs as they are, unless the pillar says so.

The cost follows what differs between two commits, and where no attributes say anything of that kind it is no more than
to look for them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy.git.objects import FILE, GITLINK, NOTHING, SYMLINK, Change, read_changes
from saltdeploy.git.packer import SETTINGS, Packer, blob_id, files_in
from saltdeploy.lib.errors import Corrupt, GitFailed

#: Attributes by which git makes another file, in the order in which they are told.
ATTRIBUTES = ("export-ignore", "export-subst", "filter", "working-tree-encoding", "ident", "eol")
_CONVERTING = ("export-subst", "working-tree-encoding", "ident", "eol")
_FILE = b".gitattributes"
_SLASH = ord("/")
_LARGEST = 1 << 20  # bytes of a file with attributes
_MOST_TRIED = 500  # files that git is asked to make
_AT_ONCE = 200  # paths that one git is told
_MOST_NAMED = 5
_UNSET = (b"unspecified", b"unset")


@dataclass(frozen=True)
class MadeOtherwise:
    """Files of which git would make others.

    Attributes:
        count: how many there are; of many, those that were tried.
        named: some of them: path, and the attribute because of which.
    """

    count: int = 0
    named: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.count)

    def __str__(self) -> str:
        told = ", ".join(f"{path} ({why})" for path, why in self.named)
        return f"{told} and {self.count - len(self.named)} more" if self.count > len(self.named) else told


def made_otherwise(
    repository: Packer, old: str, new: str, inside: str = "", filled: Collection[str] = ()
) -> MadeOtherwise:
    """Look at the files that one commit has and another has not.

    Args:
        old: a commit; "" for all files of the new one.
        inside: the directory that is deployed; "" for all.
        filled: filters whose work is done otherwise: those of pointers that get their contents.

    Raises:
        GitFailed: a commit is not here.
    """
    above = f"{inside}/".encode() if inside else b""
    with tempfile.TemporaryFile() as spool:
        repository.diff(old, new, spool)
        changes = {
            change.path: change
            for change in read_changes(spool)
            if change.mode not in (NOTHING, GITLINK) and change.path.startswith(above)
        }
    if not changes:
        return MadeOtherwise()
    said = dict(repository.files(new, sorted(_places(changes)), _LARGEST))
    if not any(word.encode() in text for text in said.values() for word in ATTRIBUTES):
        return MadeOtherwise()
    asked = _asked(repository, new, said, changes)
    found = {path: why for path, attributes in asked.items() if (why := _plainly(attributes, filled))}
    left = {path: attributes for path, attributes in asked.items() if path not in found}
    found.update(_tried(repository, new, left, changes))
    named = sorted((path.decode("utf-8", "backslashreplace"), why) for path, why in found.items())
    return MadeOtherwise(len(named), tuple(named[:_MOST_NAMED]))


def _places(paths: Collection[bytes]) -> set[str]:
    """Where attributes of these paths may stand."""
    found = {_FILE}
    for path in paths:
        while b"/" in path:
            path = path.rpartition(b"/")[0]
            if (at := path + b"/" + _FILE) in found:
                break
            found.add(at)
    return {each.decode("utf-8", "surrogateescape") for each in found}


def _asked(
    repository: Packer, new: str, said: dict[str, bytes], paths: Collection[bytes]
) -> dict[bytes, dict[str, str]]:
    """Each path with the attributes that git gives it; a file below a directory that is left out is left out."""
    directories = sorted({path[: at + 1] for path in paths for at, byte in enumerate(path) if byte == _SLASH})
    entries = b"".join(
        b"%s %s\t%s\0" % (FILE.encode(), blob_id(text, new).encode(), path.encode("utf-8", "surrogateescape"))
        for path, text in said.items()
    )
    asked = b"".join(path + b"\0" for path in (*directories, *paths))
    with tempfile.TemporaryDirectory() as room:
        shown: dict[str, Any] = {
            "environment": {"GIT_INDEX_FILE": str(Path(room, "index")), "GIT_ATTR_NOSYSTEM": "1"},
            "attributes": b"",
        }
        repository._run(["update-index", "-z", "--add", "--index-info"], input=entries, **shown)
        command = [*SETTINGS, "check-attr", "--cached", "--stdin", "-z", *ATTRIBUTES]
        told = repository._run(command, input=asked, **shown).stdout.split(b"\0")[:-1]
    found: dict[bytes, dict[str, str]] = {}
    for path, name, value in zip(told[::3], told[1::3], told[2::3], strict=True):
        found.setdefault(path, {})[name.decode()] = (
            "" if value in _UNSET else value.decode("utf-8", "replace")
        )
    ignored = tuple(path for path in directories if found[path]["export-ignore"])
    for path in paths:
        if ignored and path.startswith(ignored):
            found[path]["export-ignore"] = "set"
    return {path: found[path] for path in paths}


def _plainly(attributes: dict[str, str], filled: Collection[str]) -> str:
    """Why git would make another file, where that need not be tried; "" where it must be, or where it would not."""
    if attributes["export-ignore"]:
        return "export-ignore"
    name = attributes["filter"]
    return f"filter {name}" if name and name not in filled else ""


def _tried(
    repository: Packer, new: str, tried: Mapping[bytes, dict[str, str]], changes: Mapping[bytes, Change]
) -> Iterator[tuple[bytes, str]]:
    """Those of these files of which git makes others, and why. One that git cannot make is among them."""
    paths = [
        path
        for path, attributes in tried.items()
        if changes[path].mode != SYMLINK and any(attributes[name] for name in _CONVERTING)
    ][:_MOST_TRIED]
    for begin in range(0, len(paths), _AT_ONCE):
        some = paths[begin : begin + _AT_ONCE]
        made: dict[bytes, str] = {}
        with tempfile.TemporaryFile() as out:
            try:
                repository.archive(new, some, out)
                made = {file.path: file.id(new) for file in files_in(out) if file.mode != GITLINK}
            except (GitFailed, Corrupt):
                made = {}
        for path in some:
            if made.get(path) != changes[path].oid:
                yield path, next(name for name in _CONVERTING if tried[path][name])
