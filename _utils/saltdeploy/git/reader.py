"""Asks a git repository and changes nothing in it: resolve, compare, read objects. What packs them is in gitpacker.py."""

from __future__ import annotations

import contextlib
import difflib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from saltdeploy.git.command import start
from saltdeploy.git.inquiry import NoAnswer
from saltdeploy.git.object_reader import ObjectReader, listed
from saltdeploy.git.objects import (
    EXECUTABLE,
    FILE,
    GITLINK,
    NOTHING,
    Blobs,
    Change,
    Difference,
    entries,
    fields,
    kind_of,
    read_changes,
    ways_to,
)
from saltdeploy.git.shield import setting
from saltdeploy.lib.errors import Corrupt, GitFailed, NoSuchTag, Unavailable
from saltdeploy.lib.spelling import argument
from saltdeploy.protocol.release import check_commit, check_tag

EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

_NEAR = 1000  # tags that are looked through for one that is spelled nearly as what was asked for
_PIPE = 1 << 20  # bytes, which is what users may have
_DIRECTORY = b"40000"  # as git stores it
_FILES = (FILE.encode(), EXECUTABLE.encode())


@dataclass(frozen=True)
class Tag:
    """A tag as the repository has it: ``oid`` names the tag object, or the commit of a lightweight tag.

    Attributes:
        origin: the tag itself, where ``commit`` is what was made of its commit.
    """

    name: str
    oid: str
    commit: str
    origin: Tag | None = None

    @property
    def as_made(self) -> Tag:
        """The tag as somebody has made it."""
        return self.origin or self


class Reader(ObjectReader):
    """One git directory, bare or the ``.git`` of a work tree; see :class:`saltdeploy.git.object_reader.ObjectReader`."""

    def is_readable(self) -> bool:
        """Whether git takes the directory for a repository."""
        try:
            return self._run(["rev-parse", "--git-dir"], check=False).returncode == 0
        except Corrupt:
            return False

    def lacks(self, commit: str, cause: GitFailed) -> Corrupt:
        """The error for a commit of which git cannot find a part here."""
        return Corrupt(
            f"the object store lacks a part of {commit}: {cause.cause}",
            path=str(self.git_dir),
            next=self.advice,
        )

    def tag(self, name: str) -> Tag:
        """Look up a tag.

        Raises:
            NoSuchTag: there is none of this name, or it is not the tag of a commit.
            Unavailable: git cannot read the repository; ``status`` is git's.
        """
        ref = f"refs/tags/{check_tag(name)}"
        wanted = f"{ref}\n{ref}^{{commit}}\n".encode()
        try:
            answer = self._run(["cat-file", "--batch-check=%(objectname)"], input=wanted).stdout.decode()
        except GitFailed as failed:
            raise Unavailable(
                f"git cannot read the repository: {failed.cause}",
                path=str(self.git_dir),
                status=failed.status,
                next=f"git --git-dir={self.git_dir} fsck",
            ) from failed
        oids = [line for line in answer.split("\n") if line and not line.endswith(("missing", "ambiguous"))]
        if not oids:
            raise self._no_tag(name)
        if len(oids) != 2:
            make = f"make a tag of a commit: git -C {self.git_dir} cat-file -t {shlex.quote(ref)} tells what this one is of"
            raise NoSuchTag(f"tag {name} names no commit", path=str(self.git_dir), next=make)
        return Tag(name, check_commit(oids[0]), check_commit(oids[1]))

    def _no_tag(self, name: str) -> NoSuchTag:
        """The error for a name that is no tag, with those near it, and how a tag of this commit is made."""
        found = self._ask(
            ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        ).strip()
        made = f"release/{found[:12]}" if found else name
        command = [str(self.git_dir), "tag", "-a", "-m", made, made, *([found] if found else [])]
        newest = ["for-each-ref", "--sort=-creatordate", f"--count={_NEAR}", "--format=%(refname:strip=2)"]
        near = difflib.get_close_matches(name, self._ask([*newest, "refs/tags/"]).split())
        return NoSuchTag(
            f"there is no tag {name}"
            + (f": it names commit {found}, and tags are deployed" if found else ""),
            path=str(self.git_dir),
            next=(f"did you mean {' or '.join(near)}? If not: " if near else "")
            + f"git -C {shlex.join(command)}, or push the tag; then the same command with {argument('tag', made)}"
            + (f"; or let the deploy make a tag: {self._untagged(name, found)}" if found else ""),
        )

    def _untagged(self, name: str, commit: str) -> str:
        """How that is deployed which is no tag."""
        is_branch = self.commit_of(f"refs/heads/{name}")
        return argument("branch", name) if is_branch else argument("commit", commit)

    def submodules(self, commit: str) -> dict[bytes, str]:
        """The submodules that the commit's own tree names: path to commit."""
        with tempfile.TemporaryFile() as spool:
            Reader.diff(self, "", commit, spool)
            return {change.path: change.oid for change in read_changes(spool) if change.mode == GITLINK}

    def parts(self, commit: str) -> list[str]:
        """The commits that belong to a release besides its own: none here, see :mod:`saltdeploy.git.submodule_store`."""
        return []

    def setting(self, key: str) -> str:
        """What the repository's own configuration says; "" for nothing."""
        return setting(self.git_dir, key)

    def commit_of(self, ref: str) -> str:
        """The commit that a ref names, or "" when there is no such ref."""
        return self._ask(["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]).strip()

    def kept(self) -> list[str]:
        """The commits of the snapshots that the store keeps."""
        return self._ask(["for-each-ref", "--format=%(objectname)", "refs/deploy/"]).split()

    def name_of(self, commit: str) -> str:
        """A tag that names the commit here, or ""."""
        names = self._ask(
            ["for-each-ref", f"--points-at={commit}", "--format=%(refname:strip=2)", "refs/tags/"]
        )
        return names.split("\n")[0]

    def heads(self, *patterns: str) -> list[str]:
        """The commits that the refs of these patterns name, see git-for-each-ref(1)."""
        return list(dict.fromkeys(self._ask(["for-each-ref", "--format=%(objectname)", *patterns]).split()))

    def files(self, commit: str, paths: Collection[str], most: int) -> Iterator[tuple[str, bytes]]:
        """Path and content of those of these files that the commit has. No other is looked at, however many it has.

        Args:
            most: bytes; a file that has more is left out.
        """
        there = self._look_up(commit, [os.fsencode(path) for path in paths])
        command = ["cat-file", "--batch-check=%(objectsize)", "--buffer"]
        sizes = self._lines(command, listed(oid for _, oid in there))
        small = [
            each for each, size in zip(there, sizes, strict=True) if size.isdigit() and int(size) <= most
        ]
        with self._given(oid for _, oid in small) as blobs:
            for path, oid in small:
                _, pieces = blobs.next(oid)
                yield os.fsdecode(path), b"".join(pieces)

    def _look_up(self, commit: str, paths: Collection[bytes]) -> list[tuple[bytes, str]]:
        """Path and blob of those of these files that the commit has.

        It reads the trees on the way to them, one depth after the other: to look up one path after the other reads the
        same trees again and again, and to list all that the commit has takes long where that is much.
        """
        asked, wanted = set(paths), ways_to(paths)
        found: list[tuple[bytes, str]] = []
        root = self._ask(["rev-parse", "--verify", "--quiet", f"{check_commit(commit)}^{{tree}}"]).strip()
        depth = {b"": root} if root else {}
        while depth:
            below: dict[bytes, str] = {}
            for directory, tree in self._trees(depth):
                for mode, name, oid in entries(tree, len(root) // 2):
                    if name not in wanted[directory]:
                        continue
                    path = directory + name
                    if mode == _DIRECTORY and path + b"/" in wanted:
                        below[path + b"/"] = oid
                    elif mode in _FILES and path in asked:
                        found.append((path, oid))
            depth = below
        return found

    def _trees(self, oids: Mapping[bytes, str]) -> Iterator[tuple[bytes, bytes]]:
        """Each key, with the tree that it names."""
        with self._given(oids.values()) as trees:
            for key, oid in oids.items():
                _, pieces = trees.next(oid, "tree")
                yield key, b"".join(pieces)

    @contextlib.contextmanager
    def _given(self, oids: Iterable[str]) -> Iterator[Blobs]:
        """As :meth:`blobs`, of ids that are at hand."""
        with tempfile.TemporaryFile() as asked:
            asked.write(listed(oids))
            asked.flush()
            with self.blobs(asked) as objects:
                yield objects

    # -- trees --------------------------------------------------------------------------------------------

    def diff(self, old: str, new: str, spool: IO[bytes]) -> None:
        """Append what differs between two commits to ``spool``, for :func:`read_changes`.

        Args:
            old: a commit, or "" for the empty tree.
            new: a commit.
            spool: an open file; the whole list of a big tree shall not lie in memory.

        Raises:
            GitFailed: when either commit is not here.
        """
        old = old or EMPTY_TREE[len(new)]
        command = ["diff-tree", "-r", "-z", "--raw", "--full-index", "--no-renames", old, new]
        spool.flush()
        # git reads the index of a work tree for this as well, and one that is damaged would be in the way
        no_index = {"GIT_INDEX_FILE": str(self.git_dir / "no-index")}
        self._run(command, stdout=spool, environment=no_index)

    def diff_any(self, olds: Iterable[str], new: str, spool: IO[bytes]) -> None:
        """As :meth:`diff`, for all that differs between any of the commits ``olds`` and ``new``; each path once."""
        olds = list(dict.fromkeys(olds))
        if len(olds) == 1:
            return self.diff(olds[0], new, spool)
        with tempfile.TemporaryFile() as all_of_them:
            for old in olds:
                self.diff(old, new, all_of_them)
            found: dict[bytes, Change] = {}
            for change in read_changes(all_of_them):
                if change.mode != NOTHING or change.path not in found:  # what is there is not gone as well
                    found[change.path] = change
        for path in sorted(found):  # git's own order, which archives have as well
            spool.write(b":- %s - %s -\0%s\0" % (found[path].mode.encode(), found[path].oid.encode(), path))
        spool.flush()

    def is_empty(self, commit: str) -> bool:
        """Whether the commit's tree has no file."""
        tree = f"{check_commit(commit)}^{{tree}}"
        try:
            ((found, *_),) = self._about.heads([tree])
        except NoAnswer:
            found = b""
        if len(found) != len(commit):  # it is not here; git says why
            found = self._run(["rev-parse", "--verify", tree]).stdout.strip()
        return found.decode() == EMPTY_TREE[len(commit)]

    def difference(self, old: str, new: str) -> Difference:
        """Count what differs between two commits.

        Args:
            old: a commit, or "" for the empty tree.
            new: a commit.

        Raises:
            GitFailed, Corrupt: see :meth:`diff` and :meth:`total_size`.
        """
        counts = {"added": 0, "changed": 0, "removed": 0}
        with (
            tempfile.TemporaryFile() as spool,
            tempfile.TemporaryFile() as before,
            tempfile.TemporaryFile() as after,
        ):
            self.diff(old, new, spool)
            for change in read_changes(spool):
                counts[kind_of(change)] += 1
                if change.old_mode not in (NOTHING, GITLINK):
                    before.write(f"{change.old_oid}\n".encode())
                if change.mode not in (NOTHING, GITLINK):
                    after.write(f"{change.oid}\n".encode())
            return Difference(**counts, lost=self.total_size(before) - self.total_size(after))

    def sizes(self, commit: str) -> Generator[int, None, None]:
        """The size of each file of the commit, one after the other; whoever has heard enough closes it."""
        command = ["ls-tree", "-r", "-l", "--full-tree", "-z", check_commit(commit)]
        with (
            self._shown() as shown,
            start(command, subprocess.DEVNULL, subprocess.PIPE, shown, subprocess.DEVNULL) as process,
        ):
            assert process.stdout is not None
            try:
                for entry in fields(process.stdout):
                    size = entry.split(b"\t", 1)[0].split()[3]
                    yield int(size) if size.isdigit() else 0
            finally:
                process.kill()
