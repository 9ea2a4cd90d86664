"""Real git repositories made fast from trees in memory, and what git itself makes of them."""

from __future__ import annotations

import copy
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from saltdeploy import config
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.protocol.release import Release

FILE, EXECUTABLE, SYMLINK, GITLINK = "100644", "100755", "120000", "160000"


@dataclass(frozen=True)
class Entry:
    """A file (its bytes), a symbolic link (its target) or a submodule (the commit's id)."""

    mode: str
    data: bytes


Tree = dict[bytes, Entry]
"""Path to entry; directories follow from the paths."""


def tree(**files: str) -> Tree:
    """A tree of plain text files; ``__`` in a name stands for ``/``."""
    return {name.replace("__", "/").encode(): Entry(FILE, text.encode()) for name, text in files.items()}


def link(target: str) -> Entry:
    return Entry(SYMLINK, target.encode())


def put(base: Tree, path: bytes, entry: Entry) -> Tree:
    """``base`` with one more path; what is in its way, above or below, is gone."""
    parts = path.split(b"/")
    above = {b"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    kept = {p: e for p, e in base.items() if p not in above and not p.startswith(path + b"/")}
    return {**kept, path: entry}


def git(directory: Path, *arguments: str, **options: object) -> bytes:
    """Run git; the bytes that it says."""
    command = ["git", f"--git-dir={directory}", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout  # type: ignore[call-overload]


def configure(monkeypatch: pytest.MonkeyPatch, home: Path, text: str) -> None:
    """Let the user that we run as have this configuration of git's. Those of repositories are not read."""
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text(text)
    monkeypatch.setenv("HOME", str(home))


_SMALL = 1 << 20  # bytes of a repository that is kept in memory


@dataclass(frozen=True)
class _Template:
    """A repository as git made it first: the same once more is written by us, which takes a tenth of the time.

    Attributes:
        files: by their paths, each with its mode; None: a directory.
        tags: those that git was asked for.
    """

    files: dict[str, tuple[int, bytes] | None]
    tags: dict[int, Tag]

    @classmethod
    def of(cls, directory: Path) -> _Template:
        paths = sorted(directory.rglob("*"))
        read = {str(path.relative_to(directory)): _file(path) for path in paths}
        return cls(read, {})

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        for name, file in self.files.items():
            if file is None:
                (directory / name).mkdir()
            else:
                (directory / name).write_bytes(file[1])
                (directory / name).chmod(file[0])

    def tag(self, number: int, repository: Repository) -> Tag:
        """The tag as it is in a repository: git is asked where nobody has asked before, or somebody has moved it."""
        ref = f"refs/tags/v{number}"
        place, made = repository.git_dir / ref, self.files.get(ref)
        if made is None or not place.is_file() or place.read_bytes() != made[1]:
            return repository.tag(f"v{number}")
        if number not in self.tags:
            self.tags[number] = repository.tag(f"v{number}")
        return self.tags[number]


def _file(path: Path) -> tuple[int, bytes] | None:
    return None if path.is_dir() else (stat.S_IMODE(path.stat().st_mode), path.read_bytes())


#: What git was fed with, to what it made.
_TEMPLATES: dict[bytes, _Template] = {}


class Source:
    """A bare repository with one commit per tree, tagged ``v0``, ``v1``, ...; every second tag is annotated."""

    def __init__(self, directory: Path, *trees: Tree) -> None:
        self.git_dir = directory
        self.trees = list(trees)
        stream = b"".join(_commit(number, each) for number, each in enumerate(trees))
        is_new = not directory.exists()
        template = _TEMPLATES.get(stream) if is_new else None
        if template is None:
            subprocess.run(["git", "init", "--quiet", "--bare", "--", str(directory)], check=True)
            git(directory, "fast-import", "--quiet", "--date-format=raw", input=stream)
            template = _Template.of(directory)
            if is_new and len(stream) < _SMALL:
                _TEMPLATES[stream] = template
        else:
            template.write(directory)
        self.repository = Repository(directory)
        self._template = template
        self._tags: dict[int, Tag] = {}
        self._checked_out: dict[int, dict[bytes, tuple[object, ...]]] = {}

    @classmethod
    def at(cls, git_dir: Path) -> Source:
        """A repository that somebody else has made, with such tags."""
        found = cls.__new__(cls)
        found.git_dir, found.repository = git_dir, Repository(git_dir)
        found.trees, found._template, found._tags, found._checked_out = [], _Template({}, {}), {}, {}
        return found

    def copy(self, directory: Path) -> Source:
        """The same repository once more; quicker than to make it once more."""
        shutil.copytree(self.git_dir, directory, symlinks=True)
        made = copy.copy(self)
        made.git_dir, made.repository, made._checked_out = directory, Repository(directory), {}
        return made

    def tag(self, number: int) -> Tag:
        if number not in self._tags:
            self._tags[number] = self._template.tag(number, self.repository)
        return self._tags[number]

    def release(self, number: int, repo: str = "demo") -> Release:
        return Release(repo, f"v{number}", self.tag(number).commit)

    def checked_out(self, number: int) -> dict[bytes, tuple[object, ...]]:
        """What ``git checkout`` makes of a release, as :func:`snapshot` sees it."""
        place = self.git_dir.with_name(f"{self.git_dir.name}-v{number}")
        if number not in self._checked_out:
            place.mkdir()
            environment = {**os.environ, "GIT_INDEX_FILE": f"{place}.index", "GIT_WORK_TREE": str(place)}
            git(self.git_dir, "read-tree", f"v{number}^{{commit}}", env=environment)
            git(self.git_dir, "checkout-index", "--all", env=environment, umask=0o022)
            self._checked_out[number] = snapshot(place)
        return self._checked_out[number]


def _commit(number: int, files: Tree) -> bytes:
    when = 1_700_000_000 + number
    who = b"Test <test@example.org> %d +0000" % when
    lines = [
        b"commit refs/heads/main\nmark :%d\ncommitter %s\n%sdeleteall\n" % (number + 1, who, _data(b"v"))
    ]
    for path, entry in files.items():
        name = b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'
        mode = entry.mode.encode()
        if entry.mode == GITLINK:
            lines.append(b"M %s %s %s\n" % (mode, entry.data, name))
        else:
            lines.append(b"M %s inline %s\n%s" % (mode, name, _data(entry.data)))
    if number % 2:
        lines.append(b"tag v%d\nfrom :%d\ntagger %s\n%s" % (number, number + 1, who, _data(b"a release")))
    else:
        lines.append(b"reset refs/tags/v%d\nfrom :%d\n\n" % (number, number + 1))
    return b"".join(lines)


def _data(data: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(data), data)


def snapshot(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Everything below ``root``: kind, permissions, and content or target; directories as well."""
    found: dict[bytes, tuple[object, ...]] = {}
    base = os.path.realpath(os.fsencode(root))
    for directory, directories, files in os.walk(base):
        for name in [*directories, *files]:
            path = os.path.join(directory, name)
            seen = os.lstat(path)
            found[os.path.relpath(path, base)] = (oct(seen.st_mode), _content(path, seen))
    return found


def _content(path: bytes, seen: os.stat_result) -> bytes:
    if stat.S_ISLNK(seen.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(seen.st_mode):
        with open(path, "rb") as file:
            return file.read()
    return b""


def repo(location: Path, **keys: object) -> config.Repo:
    """A repo's configuration as the pillar would give it."""
    return config.load({"repo_config": {"demo": {"location": str(location), **keys}}}, "demo")


def bring(layout: object, source: Source, number: int) -> None:
    """Let a release's objects be in the store, without a transport: it borrows the source's."""
    layout.open()  # type: ignore[attr-defined]
    store: Repository = layout.store  # type: ignore[attr-defined]
    (store.git_dir / "objects/info/alternates").write_text(f"{source.git_dir}/objects\n")
    store.keep(source.tag(number).commit)


def bring_bundle(layout: object, source: Source, number: int, base: str) -> None:
    """Let a release's objects arrive as a bundle that was packed against the commit ``base``, or "" for nothing."""
    layout.open()  # type: ignore[attr-defined]
    store: Repository = layout.store  # type: ignore[attr-defined]
    tag = source.tag(number)
    if not store.has(tag.commit):
        bundle = source.git_dir.with_name("bundle")
        source.repository.pack(tag, base, bundle)
        store.unpack(bundle, tag.commit)
    store.keep(tag.commit)


def prepare(layout: object, source: Source, number: int) -> dict[str, object]:
    """Objects and tree; nothing that a user sees."""
    bring(layout, source, number)
    return layout.prepare(source.release(number))  # type: ignore[attr-defined, no-any-return]


def deploy(layout: object, source: Source, number: int) -> dict[str, object]:
    """Objects, tree, switch."""
    facts = prepare(layout, source, number)
    return {**facts, **layout.activate(source.release(number))}  # type: ignore[attr-defined]


RawTree = list[tuple[str, bytes, "bytes | RawTree"]]
"""What git itself would never write: (mode, name, content of a file or link, or a tree), in any order."""


def add_raw(source: Source, number: int, content: RawTree) -> None:
    """Add ``v<number>``, whose tree is written as it stands."""
    tree_oid = _raw_tree(source.git_dir, content)
    commit = b"tree %s\nauthor T <t@example.org> 1 +0000\ncommitter T <t@example.org> 1 +0000\n\nv\n"
    oid = _raw_object(source.git_dir, "commit", commit % tree_oid.encode())
    git(source.git_dir, "update-ref", f"refs/tags/v{number}", oid)


def _raw_tree(git_dir: Path, content: RawTree) -> str:
    rows = []
    for mode, name, what in content:
        oid = _raw_object(git_dir, "blob", what) if isinstance(what, bytes) else _raw_tree(git_dir, what)
        rows.append(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid))
    return _raw_object(git_dir, "tree", b"".join(rows))


def _raw_object(git_dir: Path, kind: str, data: bytes) -> str:
    command = ["hash-object", "-t", kind, "-w", "--literally", "--stdin"]
    return git(git_dir, *command, input=data).decode().strip()
