"""A git repository: resolve, diff, read objects, pack, unpack, fetch. Nobody else knows what to ask git.

A target's object store and the master's mirror hold *snapshots*: each deployed commit with its tree, cut off
from its history (listed in git's ``shallow`` file). So a payload holds what one release has and the other
has not, and never what came and went between them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from saltdeploy import disk
from saltdeploy.errors import Corrupt, DeployError, GitFailed, NoSuchTag, Unavailable, public
from saltdeploy.gitcommand import ONLINE, STREAM, Progress, git_version, no_progress, run, start
from saltdeploy.gitobjects import GITLINK, Blobs, read_changes
from saltdeploy.release import check_commit, check_tag

_EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_LOCKS = ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock", "objects/pack/*.lock")
_HALF_PACKS = ("objects/pack/tmp_*", "objects/pack/.tmp-*")
_ASIDES = ("shallow_*", ".shallow.*")
_ASKED = "refs/deploy-asked"


@dataclass(frozen=True)
class Tag:
    """A tag as the repository has it: ``oid`` names the tag object, or the commit of a lightweight tag."""

    name: str
    oid: str
    commit: str


class Repository:
    """One git directory, bare or the ``.git`` of a work tree."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    # -- making and asking ------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Create an empty bare repository where there is none."""
        if not self.is_readable():
            self.git_dir.parent.mkdir(parents=True, exist_ok=True)
            run(["init", "--quiet", "--bare", "--", str(self.git_dir)], path=str(self.git_dir))

    def is_readable(self) -> bool:
        """Whether git takes the directory for a repository."""
        return self._run(["rev-parse", "--git-dir"], check=False).returncode == 0

    @property
    def advice(self) -> str:
        """What to do when objects are missing or damaged: the next fetch brings them again."""
        return f"git --git-dir={self.git_dir} fsck; rm -r -- {self.git_dir}; then run the same command again"

    def recover(self) -> None:
        """Delete what git processes left that were killed. Only for the one who uses the repository alone."""
        self._delete(*_LOCKS, *_HALF_PACKS, *_ASIDES, f"{_ASKED}/*")
        packs = self.git_dir / "objects" / "pack"
        indexed = {path.stem for path in packs.glob("*.idx")}
        for path in packs.glob("pack-*"):
            if path.stem not in indexed or path.suffix == ".keep":  # a fetch keeps its pack until the end
                path.unlink()

    def locks(self) -> list[Path]:
        """Lock files, of git processes that are at work or were killed."""
        return [path for pattern in _LOCKS for path in self.git_dir.glob(pattern)]

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
        if len(oids) != 2:
            raise NoSuchTag(
                f"there is no tag {name}",
                path=str(self.git_dir),
                next=f"git -C {self.git_dir} tag -l; push or fetch the tag, then run the same command again",
            )
        return Tag(name, check_commit(oids[0]), check_commit(oids[1]))

    def has(self, commit: str) -> bool:
        """Whether the commit and its tree are here."""
        if not self.git_dir.is_dir():
            return False
        spec = f"{check_commit(commit)}^{{tree}}"
        return self._run(["cat-file", "-e", spec], check=False).returncode == 0

    def submodules(self, commit: str) -> list[str]:
        """The paths of the submodules that the commit's tree names."""
        with tempfile.TemporaryFile() as spool:
            self.diff("", commit, spool)
            links = [change.path for change in read_changes(spool) if change.mode == GITLINK]
        return [path.decode("utf-8", "backslashreplace") for path in links]

    def commit_of(self, ref: str) -> str:
        """The commit that a ref names, or "" when there is no such ref."""
        return self._ask(["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]).strip()

    def kept(self) -> list[str]:
        """The commits of the snapshots that the store holds on to."""
        return self._ask(["for-each-ref", "--format=%(objectname)", "refs/deploy/"]).split()

    def name(self, commit: str, tag: str) -> None:
        """Make the tag name the commit in this repository."""
        self.point(f"refs/tags/{check_tag(tag)}", commit)

    def name_of(self, commit: str) -> str:
        """A tag that names the commit here, or ""."""
        names = self._ask(
            ["for-each-ref", f"--points-at={commit}", "--format=%(refname:strip=2)", "refs/tags/"]
        )
        return names.split("\n")[0]

    def point(self, ref: str, commit: str) -> None:
        """Make ``ref`` name the commit."""
        self._run(["update-ref", ref, commit])

    # -- trees ------------------------------------------------------------------------------------------

    def diff(self, old: str, new: str, spool: IO[bytes]) -> None:
        """Append what differs between two commits to ``spool``, for :func:`read_changes`.

        Args:
            old: a commit, or "" for the empty tree.
            new: a commit.
            spool: an open file; the whole list of a big tree shall not lie in memory.

        Raises:
            GitFailed: when either commit is not here.
        """
        old = old or _EMPTY_TREE[len(new)]
        command = ["diff-tree", "-r", "-z", "--raw", "--full-index", "--no-renames", old, new]
        spool.flush()
        self._run(command, stdout=spool)

    def diff_any(self, olds: Iterable[str], new: str, spool: IO[bytes]) -> None:
        """As :meth:`diff`, for all that differs between any of the commits ``olds`` and ``new``; each path once."""
        olds = list(dict.fromkeys(olds))
        if len(olds) == 1:
            return self.diff(olds[0], new, spool)
        told: set[bytes] = set()
        with tempfile.TemporaryFile() as all_of_them:
            for old in olds:
                self.diff(old, new, all_of_them)
            for change in read_changes(all_of_them):
                if change.path not in told:
                    told.add(change.path)
                    spool.write(
                        b":- %s - %s -\0%s\0" % (change.mode.encode(), change.oid.encode(), change.path)
                    )
        spool.flush()

    def total_size(self, oids: IO[bytes]) -> int:
        """Bytes that the blobs listed in the file ``oids`` (one a line) will take in files.

        Raises:
            Corrupt: when one is missing.
        """
        oids.seek(0)
        total = 0
        with tempfile.TemporaryFile() as sizes:
            self._run(["cat-file", "--batch-check=%(objectsize)", "--buffer"], stdin=oids, stdout=sizes)
            sizes.seek(0)
            for line in sizes:
                if not line.strip().isdigit():
                    raise Corrupt(
                        f"the object store has no blob {line.split()[0].decode()}",
                        path=str(self.git_dir),
                        next=self.advice,
                    )
                total += int(line)
        return total

    @contextlib.contextmanager
    def blobs(self, oids: IO[bytes]) -> Iterator[Blobs]:
        """Read the blobs listed in the file ``oids`` (one a line), in its order, by one git process."""
        oids.seek(0)
        command = [*STREAM, f"--git-dir={self.git_dir}", "cat-file", "--batch", "--buffer"]
        with start(command, oids, subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            try:
                yield Blobs(process.stdout, self.git_dir, self.advice)
            finally:
                process.kill()

    # -- payloads ---------------------------------------------------------------------------------------

    def pack(self, tag: Tag, base: str, out: Path) -> None:
        """Write a git bundle that brings a store holding ``base`` to ``tag``.

        The format is git's bundle v2 (v3 for sha256 repositories), see gitformat-bundle(5). Its pack is made
        by ``git pack-objects`` with both commits cut off from their histories.

        Args:
            tag: what travels: this tag and nothing else.
            base: a commit that the receiver holds, or "" for a receiver that holds nothing.
            out: the file to write.
        """
        wants = [f"--shallow {commit}" for commit in (tag.commit, base) if commit]
        wants += [tag.oid] + ([f"^{base}"] if base else [])
        command = [
            "pack-objects",
            "--stdout",
            "--revs",
            "--thin",
            "--shallow",
            "--delta-base-offset",
            "--quiet",
        ]
        with open(out, "wb") as file:
            file.write(_bundle_header(tag, base))
            file.flush()
            self._run(command, stdout=file, input="".join(f"{want}\n" for want in wants).encode())

    def unpack(self, bundle: Path, commit: str, progress: Progress = no_progress) -> None:
        """Take in a bundle that :meth:`pack` wrote.

        Raises:
            Corrupt: when the bundle does not hold ``commit``.
            GitFailed: when git cannot read it.
        """
        for base in _prerequisites(bundle):
            if self.has(base):  # it may have been let go of and still be here; git wants it held
                self.keep(base)
        flags = ["--progress"] if git_version() >= (2, 36) else []
        try:
            self._run([*STREAM, "bundle", "unbundle", *flags, str(bundle)], progress=progress)
        except DeployError:
            self._delete(*_HALF_PACKS)  # they take space, on a disk that may be full
            raise
        self.keep(commit)

    def keep(self, commit: str) -> None:
        """Make ``commit`` a snapshot that the store holds on to.

        Raises:
            Corrupt: when it is not here.
        """
        if not self.has(commit):
            raise Corrupt(f"commit {commit} is not in what was received", path=str(self.git_dir))
        self._cut(commit)
        self.point(f"refs/deploy/{commit}", commit)

    def forget_all_but(self, commits: Iterable[str]) -> None:
        """Let go of every snapshot that is not among ``commits``; git collects them later."""
        keep = {f"refs/deploy/{commit}" for commit in commits}
        refs = self._ask(["for-each-ref", "--format=%(refname)", "refs/deploy/"]).split()
        lines = "".join(f"delete {ref}\n" for ref in refs if ref not in keep)
        if lines:
            self._run(["update-ref", "--stdin"], input=lines.encode())

    def tidy(self, most_packs: int = 20) -> None:
        """Join packs when there are many: each fetch brings one, and git slows down with their number.

        The cost is shared out: a geometric repack touches a pack of n objects about log n times in its life,
        and all of it is written anew, without what was let go of, each time that it has doubled.
        """
        sizes = sorted(path.stat().st_size for path in (self.git_dir / "objects" / "pack").glob("*.pack"))
        if len(sizes) <= most_packs:
            return
        doubled = sum(sizes[:-1]) >= sizes[-1]
        if (
            doubled and self.git_dir.name != ".git"
        ):  # a work tree is its users' own: they may want old commits
            self._run(["repack", "--quiet", "-a", "-d"])
            self._run(["prune", "--expire=now"])
        elif git_version() >= (2, 32):
            self._run(["repack", "--quiet", "-d", "--geometric=2"])

    # -- from another repository ------------------------------------------------------------------------

    def fetch(self, url: str, tag: str, commit: str = "", progress: Progress = no_progress) -> str:
        """Fetch one commit and nothing else from another repository.

        Args:
            url: whatever git can fetch from, ``ext::`` and ``fd::`` excepted.
            tag: the tag to ask for where the server does not serve commits by their id.
            commit: the commit that it must be; "" to learn it from the tag.
            progress: hears git's own progress.

        Returns:
            The commit.

        Raises:
            Unavailable: the repository could not be read; ``status`` is git's.
            NoSuchTag: it has no such tag.
        """
        asked = f"{_ASKED}/{os.getpid()}"
        by_tag = f"+refs/tags/{check_tag(tag)}:{asked}"
        ways = [["--depth=1", url, f"+{commit}:{asked}"]] if commit else []
        ways += [["--depth=1", url, by_tag], [url, by_tag]]
        try:
            self._first_that_works(ways, url, tag, progress)
            found = self._ask(["rev-parse", "--verify", "--quiet", f"{asked}^{{commit}}"]).strip()
            wanted = commit or found
            self.keep(check_commit(wanted))
            return wanted
        finally:
            self._run(["update-ref", "-d", asked], check=False)

    def _first_that_works(self, ways: list[list[str]], url: str, tag: str, progress: Progress) -> None:
        error: GitFailed | None = None
        for way in ways:
            command = [*STREAM, "fetch", "--no-tags", "--force", "--progress", *way[:-2], "--", *way[-2:]]
            try:
                self._run(command, progress=progress, environment=ONLINE)
                return
            except GitFailed as failed:
                error = failed
        assert error is not None
        if "couldn't find remote ref" in error.cause:
            raise NoSuchTag(f"there is no tag {tag} in {public(url)}", next="push the tag, then try again")
        raise Unavailable(
            f"cannot fetch from {public(url)}: {error.cause}",
            status=error.status,
            next=f"git ls-remote {public(url)} refs/tags/{tag}",
        ) from error

    # -- running git ------------------------------------------------------------------------------------

    def _delete(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self.git_dir.glob(pattern):
                path.unlink(missing_ok=True)

    def _cut(self, commit: str) -> None:
        path = self.git_dir / "shallow"
        known = path.read_text().split() if path.exists() else []
        if commit not in known:
            disk.write_atomically(path, "".join(f"{c}\n" for c in [*known, commit]).encode())

    def _ask(self, arguments: list[str], **options: Any) -> str:
        output = self._run(arguments, check=False, **options).stdout or b""
        return output.decode("utf-8", "surrogateescape")

    def _run(self, arguments: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        return run([f"--git-dir={self.git_dir}", *arguments], path=str(self.git_dir), **options)


def work_tree_git(
    location: Path, arguments: list[str], status: int | None = None, index: Path | None = None
) -> str:
    """Run git on the work tree at ``location`` (layout ``inplace`` only).

    Args:
        status: what an error shall have instead of git's exit code.
        index: an index file instead of the repository's own.

    Raises:
        GitFailed, DiskFull: see :func:`saltdeploy.gitcommand.run`.
    """
    environment = {"GIT_INDEX_FILE": str(index)} if index else {}
    try:
        done = run(["-C", str(location), *arguments], path=str(location), environment=environment)
    except DeployError as error:
        error.status = error.status if status is None else status
        raise
    return done.stdout.decode("utf-8", "surrogateescape")


def _prerequisites(bundle: Path) -> Iterator[str]:
    """The commits that a bundle builds upon, see gitformat-bundle(5)."""
    with open(bundle, "rb") as file:
        for line in file:
            if line == b"\n":
                return
            if line.startswith(b"-"):
                yield check_commit(line[1:].split()[0].decode())


def _bundle_header(tag: Tag, base: str) -> bytes:
    sha256 = len(tag.commit) == 64
    lines = ["# v3 git bundle", "@object-format=sha256"] if sha256 else ["# v2 git bundle"]
    lines += [f"-{base} "] if base else []
    return "\n".join([*lines, f"{tag.oid} refs/tags/{tag.name}", "", ""]).encode()
