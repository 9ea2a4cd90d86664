"""Says which release a directory holds by reading every byte of it; trusts nobody else's word."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

Tree = dict[bytes, tuple[str, str]]


def release_in(directory: Path, repository: Path, tags: list[str]) -> str:
    """The first of ``tags`` whose tree is, file by file, what lies in ``directory``; "" if none is.

    Args:
        directory: a work tree; a ``.git`` in it does not count.
        repository: the git repository that the tags are in.
    """
    for tag in tags:
        wanted = _tree_of(repository, tag)
        digest = "sha256" if any(len(oid) == 64 for _, oid in wanted.values()) else "sha1"
        if _tree_on_disk(os.fsencode(directory), digest) == wanted:
            return tag
    return ""


def _tree_of(repository: Path, tag: str) -> Tree:
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "-C",
        str(repository),
        "ls-tree",
        "-r",
        "-z",
        f"refs/tags/{tag}",
    ]
    listed = subprocess.run(command, check=True, capture_output=True).stdout
    tree = {}
    for line in filter(None, listed.split(b"\0")):
        about, _, path = line.partition(b"\t")
        mode, kind, oid = about.decode().split(" ")
        if kind == "blob":  # a submodule is a directory of its own
            tree[path] = (mode, oid)
    return tree


def _tree_on_disk(root: bytes, digest: str) -> Tree:
    tree = {}
    for parent, directories, names in os.walk(root):
        if parent == root and b".git" in directories:
            directories.remove(b".git")
        links = [name for name in directories if os.path.islink(os.path.join(parent, name))]
        for name in names + links:
            path = os.path.join(parent, name)
            tree[os.path.relpath(path, root)] = _entry(path, digest)
    return tree


def _entry(path: bytes, digest: str) -> tuple[str, str]:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "120000", _blob(os.readlink(path), digest)
    with open(path, "rb") as file:
        return "100755" if mode & 0o100 else "100644", _blob(file.read(), digest)


def _blob(content: bytes, digest: str) -> str:
    return hashlib.new(digest, b"blob %d\0" % len(content) + content).hexdigest()
