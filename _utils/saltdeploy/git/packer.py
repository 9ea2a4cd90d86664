"""Packs what a release has: a git bundle for those who hold another release, or nothing; and what ``git archive`` makes of it.

``git archive`` takes the attributes from the tree that it archives, and does with them all that git does on checkout
(``text``, ``eol``, ``ident``, ``working-tree-encoding``) and ``export-ignore`` and ``export-subst`` besides. Filters are
programs, and are never run. What the configuration of a user, of the host or of a repository says has no part in it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from saltdeploy.git import bundle, thin
from saltdeploy.git.objects import EXECUTABLE, FILE, GITLINK, SYMLINK
from saltdeploy.git.reader import Reader, Tag
from saltdeploy.lib.errors import Corrupt, DiskFull
from saltdeploy.lib.os_errors import from_os
from saltdeploy.protocol.release import check_commit

_PACK = ("pack-objects", "--stdout", "--delta-base-offset", "--quiet")

#: Counts for ``git archive``, whatever is configured; the same commit becomes the same files everywhere.
SETTINGS = tuple(
    word
    for setting in (
        "core.attributesFile=/dev/null",
        "core.eol=lf",
        "core.autocrlf=false",
        "core.bigFileThreshold=512m",
        "core.abbrev=12",
        "i18n.logOutputEncoding=UTF-8",
        "tar.umask=0022",
    )
    for word in ("-c", setting)
)
ENVIRONMENT = {"GIT_ATTR_NOSYSTEM": "1", "TZ": "UTC"}


@dataclass(frozen=True)
class ArchivedFile:
    """A file as ``git archive`` gives it.

    Attributes:
        path: in the tree that was archived.
        mode: git's.
        size: bytes; of a link, of its target. Of a submodule 0.
        data: where its bytes are to be read from, at once; None for a link or a submodule.
        target: of a link.
    """

    path: bytes
    mode: str
    size: int = 0
    data: IO[bytes] | None = None
    target: bytes = b""

    def id(self, like: str) -> str:
        """The id of its blob; its bytes are read for that.

        Args:
            like: an id of the same repository.
        """
        found = _hash(like, self.size)
        found.update(self.target)
        while self.data is not None and (piece := self.data.read(1 << 20)):
            found.update(piece)
        return found.hexdigest()


class Packer(Reader):
    """A git directory from which bundles are made; nothing in it changes."""

    def pack(self, tag: Tag, base: str, out: Path, *, contents: bool = True) -> None:
        """Write a git bundle that brings a store holding ``base`` to ``tag``.

        The format is git's bundle v2 (v3 for sha256 repositories), see gitformat-bundle(5). Its pack is made by
        ``git pack-objects``, with all commits cut off from their histories; see also :mod:`saltdeploy.git.thin`.

        Args:
            tag: what travels: this tag and nothing else.
            base: a commit that the receiver holds, or "" for a receiver that holds nothing.
            out: the file to write.
            contents: without it only the commit and its trees travel: paths, modes, and the files' ids.

        Raises:
            GitFailed: when a commit is not here.
            DiskFull, NoPermission: when the file cannot be written.
        """
        old = [base, *self.parts(base)] if base else []
        try:
            with open(out, "wb") as file:
                file.write(bundle.head(tag.name, tag.oid, old))
                file.flush()
                if old:
                    self._pack_upon(tag, old, file, contents=contents)
                else:
                    self._pack_all(tag, file, contents=contents)
        except OSError as error:
            raise from_os(error, path=str(out.parent)) from error
        except DiskFull as full:  # it is not the repository's disk that is full
            raise from_os(OSError(errno.ENOSPC, full.cause), path=str(out.parent)) from full

    def archive(self, commit: str, paths: Sequence[bytes], out: IO[bytes]) -> None:
        """Write what ``git archive`` makes of a commit: its files as git's attributes say, but for filters.

        Args:
            paths: of files or directories that it has; none for all.
            out: an open file.

        Raises:
            GitFailed: git cannot, as where a file has not the encoding that its attributes say.
        """
        command = [*SETTINGS, "--literal-pathspecs", "archive", "--format=tar", check_commit(commit)]
        named = [path.decode("utf-8", "surrogateescape") for path in paths]
        self._run([*command, *(["--", *named] if named else [])], stdout=out, environment=ENVIRONMENT)

    def _pack_all(self, tag: Tag, file: IO[bytes], *, contents: bool) -> None:
        """Append the pack for those who hold nothing."""
        parts = self.parts(tag.commit)
        wants = [f"--shallow {commit}" for commit in dict.fromkeys((tag.commit, *parts))]
        asked = "".join(f"{want}\n" for want in (*wants, tag.oid, *parts)).encode()
        self._run([*_PACK, "--revs", "--shallow", *_what(contents)], stdout=file, input=asked)

    def _pack_upon(self, tag: Tag, old: list[str], file: IO[bytes], *, contents: bool) -> None:
        """Append the pack for those who hold the commits ``old``."""
        bases = b"".join(b"-%s\n" % commit.encode() for commit in old)
        with contextlib.ExitStack() as stack:
            parts = thin.divide(self._list_objects(tag, old, contents=contents))
            room = Path(file.name).parent
            packs = [stack.enter_context(tempfile.TemporaryFile(dir=room)) for _ in parts]
            self._pack_each([bases + b"".join(part) for part in parts], packs)
            thin.join(packs, file, len(tag.commit) // 2)

    def _pack_each(self, asked: Sequence[bytes], packs: Sequence[IO[bytes]]) -> None:
        """Make several packs, as many at once as there are processors: each is a git of its own, and hosts wait for them."""

        def make(wanted: bytes, pack: IO[bytes]) -> None:
            self._run([*_PACK], stdout=pack, input=wanted)

        if len(packs) == 1:
            make(asked[0], packs[0])
            return
        from concurrent.futures import ThreadPoolExecutor  # most releases are one pack

        with ThreadPoolExecutor(min(len(packs), os.cpu_count() or 1)) as pool:
            list(pool.map(make, asked, packs))

    def _list_objects(self, tag: Tag, old: list[str], *, contents: bool) -> Iterator[bytes]:
        """What a tag has and the commits ``old`` have not, as ``git rev-list --objects`` lists it. No history is walked."""
        new = [tag.commit, *self.parts(tag.commit)]
        yield from (b"%s\n" % oid.encode() for oid in dict.fromkeys((*self._tags_on(tag), *new)))
        trees = [*(f"{commit}^{{tree}}" for commit in new), *(f"^{commit}^{{tree}}" for commit in old)]
        with tempfile.TemporaryFile() as listed:
            asked = "".join(f"{tree}\n" for tree in trees).encode()
            self._run(["rev-list", "--objects", "--stdin", *_what(contents)], stdout=listed, input=asked)
            listed.seek(0)
            yield from listed

    def _tags_on(self, tag: Tag) -> list[str]:
        """The tag's object, and those of the tags that it is a tag of; none of a lightweight tag."""
        if tag.oid == tag.commit:
            return []
        command = ["rev-list", "--objects", "--no-walk", "--filter=tree:0", "--stdin"]
        return [line.split()[0].decode() for line in self._lines(command, f"{tag.oid}\n".encode())]


def _what(contents: bool) -> list[str]:
    """Whether git's list holds files as well as commits and trees."""
    return [] if contents else ["--filter=blob:none"]


def blob_id(data: bytes, like: str) -> str:
    """The id of a blob; ``like`` is an id of the same repository."""
    found = _hash(like, len(data))
    found.update(data)
    return found.hexdigest()


def _hash(like: str, size: int) -> Any:
    found = hashlib.sha1(usedforsecurity=False) if len(like) == 40 else hashlib.sha256()
    found.update(b"blob %d\0" % size)
    return found


def files_in(archive: IO[bytes]) -> Iterator[ArchivedFile]:
    """The files of an archive; and its directories as if each were a submodule, since git gives those like this.

    Raises:
        Corrupt: it is none that git has made.
    """
    import tarfile  # hardly anybody needs it

    archive.seek(0)
    try:
        with tarfile.open(
            fileobj=archive, mode="r|", encoding="utf-8", errors="surrogateescape", bufsize=1 << 20
        ) as tar:
            for member in tar:
                path = os.fsencode(member.name.rstrip("/"))
                if member.isreg():
                    mode = EXECUTABLE if member.mode & 0o100 else FILE
                    yield ArchivedFile(path, mode, member.size, tar.extractfile(member))
                elif member.issym():
                    target = os.fsencode(member.linkname)
                    yield ArchivedFile(path, SYMLINK, len(target), target=target)
                elif member.isdir():
                    yield ArchivedFile(path, GITLINK)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Corrupt(f"git archive gave what is no archive: {error}") from error
