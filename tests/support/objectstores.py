"""Releases on their way from a repository into a store, and what lies there then, as git itself sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from saltdeploy.git.repository import Repository, Tag

from tests.support.repositories import Source, Tree, git, tree

THREE = [tree(a="1", b="same"), tree(a="2", b="same"), tree(a="3", b="same", dir__c="4")]


def pack(source: Source, number: int, base: int | None, out: Path) -> Tag:
    tag = source.tag(number)
    source.repository.pack(tag, "" if base is None else source.tag(base).commit, out)
    return tag


def bring(source: Source, number: int, base: int | None, store: Repository, place: Path) -> str:
    tag = pack(source, number, base, place / "bundle")
    store.unpack(place / "bundle", tag.commit)
    return tag.commit


def content(repository: Repository, commit: str) -> dict[str, bytes]:
    """Every file of a release, read by git itself."""
    names = git(repository.git_dir, "ls-tree", "-r", "--name-only", commit).decode().splitlines()
    return {name: git(repository.git_dir, "show", f"{commit}:{name}") for name in names}


def files(wanted: Tree) -> dict[str, bytes]:
    return {name.decode(): entry.data for name, entry in wanted.items()}


def packed(bundle: Path) -> int:
    """How many objects travel in a bundle, see gitformat-pack(5)."""
    data = bundle.read_bytes()
    start = data.index(b"PACK")
    return int.from_bytes(data[start + 8 : start + 12], "big")


def objects(repository: Repository) -> set[str]:
    """Everything that lies in the store, held or not."""
    listed = git(
        repository.git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"
    )
    return set(listed.decode().splitlines())


def is_sound(repository: Repository) -> bool:
    """Whether git finds nothing missing or damaged, and nothing half lies about."""
    command = ["git", f"--git-dir={repository.git_dir}", "fsck", "--full", "--strict", "--no-dangling"]
    done = subprocess.run(command, capture_output=True, text=True)
    packs = repository.git_dir / "objects" / "pack"
    whole = {path.stem for path in packs.glob("*.idx")}
    return done.returncode == 0 and all(path.stem in whole for path in packs.iterdir())
