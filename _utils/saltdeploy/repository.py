"""The only module that runs git: resolve, diff, read objects, pack, unpack, fetch.

A target's object store and the master's mirror hold *snapshots*: each deployed commit with its tree, cut off
from its history (listed in git's ``shallow`` file). So a payload holds what one release has and the other
has not, and never what came and went between them.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from saltdeploy import disk
from saltdeploy.errors import Corrupt, GitFailed, GitUnusable, NoSuchTag, Unavailable
from saltdeploy.release import check_commit, check_tag

try:  # progress lines are a comfort: a minion without GitPython deploys as well, with fewer of them
    from git import RemoteProgress
except ImportError:  # pragma: no cover - depends on the installation
    RemoteProgress = None

MIN_GIT = (2, 25)
GITLINK, SYMLINK = "160000", "120000"
NOTHING = "000000"
_EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_CHUNK = 1 << 20

Progress = Callable[[str, int, int, str], None]
"""Called as ``progress(phase, done, total, unit)``; total is 0 when not known."""


def no_progress(phase: str, done: int, total: int, unit: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits.

    Attributes:
        path: as git gives it: bytes, parts divided by ``/``, relative to the tree's root.
        mode: git's mode on the new side, six octal digits; ``000000`` when the path is gone.
        oid: the blob on the new side.
    """

    path: bytes
    mode: str
    oid: str


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
        if not (self.git_dir / "HEAD").is_file():
            self.git_dir.parent.mkdir(parents=True, exist_ok=True)
            _git(["init", "--quiet", "--bare", "--", str(self.git_dir)])

    def tag(self, name: str) -> Tag:
        """Look up a tag.

        Raises:
            NoSuchTag: there is none of this name, or it is not the tag of a commit.
        """
        ref = f"refs/tags/{check_tag(name)}"
        wanted = f"{ref}\n{ref}^{{commit}}\n".encode()
        answer = self._ask(["cat-file", "--batch-check=%(objectname)"], input=wanted)
        oids = [line for line in answer.split("\n") if line and not line.endswith("missing")]
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
        listing = self._ask(["ls-tree", "-r", "-z", "--full-tree", commit])
        return [line.split("\t", 1)[1] for line in listing.split("\0") if line.startswith(GITLINK)]

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
        names = self._ask(["for-each-ref", f"--points-at={commit}", "--format=%(refname:strip=2)", "refs/tags/"])
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

    def total_size(self, oids: IO[bytes]) -> int:
        """Bytes that the blobs listed in the file ``oids`` (one a line) will take in files."""
        oids.seek(0)
        answer = self._ask(["cat-file", "--batch-check=%(objectsize)", "--buffer"], stdin=oids)
        return sum(int(line) for line in answer.split("\n") if line.isdigit())

    @contextlib.contextmanager
    def blobs(self, oids: IO[bytes]) -> Iterator[Blobs]:
        """Read the blobs listed in the file ``oids`` (one a line), in its order, by one git process."""
        oids.seek(0)
        command = ["git", f"--git-dir={self.git_dir}", "cat-file", "--batch", "--buffer"]
        with subprocess.Popen(command, stdin=oids, stdout=subprocess.PIPE, env=_environment()) as process:
            assert process.stdout is not None
            try:
                yield Blobs(process.stdout, self.git_dir)
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
        command = ["pack-objects", "--stdout", "--revs", "--thin", "--shallow", "--delta-base-offset", "--quiet"]
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
        flags = ["--progress"] if git_version() >= (2, 36) else []
        self._run(["bundle", "unbundle", *flags, str(bundle)], progress=progress)
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

        The cost is shared out: a geometric repack touches a pack of n objects about log n times in its life.
        """
        packs = list((self.git_dir / "objects" / "pack").glob("*.pack"))
        if len(packs) > most_packs and git_version() >= (2, 32):
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
        asked = f"refs/deploy-asked/{os.getpid()}"
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
            command = ["fetch", "--no-tags", "--force", "--progress", *way[:-2], "--", *way[-2:]]
            try:
                self._run(command, progress=progress)
                return
            except GitFailed as failed:
                error = failed
        assert error is not None
        if "couldn't find remote ref" in error.cause:
            raise NoSuchTag(f"there is no tag {tag} in {_public(url)}", next="push the tag, then try again")
        raise Unavailable(
            f"cannot fetch from {_public(url)}: {error.cause}",
            status=error.status,
            next=f"git ls-remote {_public(url)} refs/tags/{tag}",
        ) from error

    # -- running git ------------------------------------------------------------------------------------

    def _cut(self, commit: str) -> None:
        path = self.git_dir / "shallow"
        known = path.read_text().split() if path.exists() else []
        if commit not in known:
            disk.write_atomically(path, "".join(f"{c}\n" for c in [*known, commit]).encode())

    def _ask(self, arguments: list[str], **options: Any) -> str:
        output = self._run(arguments, check=False, **options).stdout or b""
        return output.decode("utf-8", "surrogateescape")

    def _run(self, arguments: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        return _git([f"--git-dir={self.git_dir}", *arguments], path=str(self.git_dir), **options)


class Blobs:
    """The output of ``git cat-file --batch``, one blob after the other."""

    def __init__(self, stream: IO[bytes], git_dir: Path) -> None:
        self._stream = stream
        self._git_dir = git_dir

    def next(self, oid: str) -> tuple[int, Iterator[bytes]]:
        """The size of the next blob, which must be ``oid``, and its content in pieces; read them all.

        Raises:
            Corrupt: when the store has not this blob.
        """
        head = self._stream.readline().split()
        if len(head) != 3 or head[0].decode() != oid or head[1] != b"blob":
            raise Corrupt(
                f"the object store has no blob {oid}",
                path=str(self._git_dir),
                next=f"git --git-dir={self._git_dir} fsck; remove the store, and the next fetch makes it anew",
            )
        size = int(head[2])
        return size, self._pieces(size)

    def _pieces(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._stream.read(min(left, _CHUNK))
            if not piece:
                raise Corrupt("git ended in the middle of a blob", path=str(self._git_dir))
            left -= len(piece)
            yield piece
        self._stream.read(1)


def read_changes(spool: IO[bytes]) -> Iterator[Change]:
    """The changes that :meth:`Repository.diff` wrote, read anew from the file's begin.

    The format is ``git diff-tree --raw -z``: ``:oldmode newmode oldoid newoid status NUL path NUL``.
    """
    spool.seek(0)
    fields = _fields(spool)
    for head in fields:
        parts = head.decode().split(" ")
        yield Change(path=next(fields), mode=parts[1], oid=parts[3])


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while piece := stream.read(_CHUNK):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole


def git_version() -> tuple[int, ...]:
    """The version of the git that is installed.

    Raises:
        GitUnusable: there is none, or it is older than :data:`MIN_GIT`.
    """
    global _version
    if _version is None:
        found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", _git(["version"]).stdout)
        version = tuple(int(part) for part in found.groups(b"0")) if found else (0,)
        if version < MIN_GIT:
            raise GitUnusable(
                f"git {'.'.join(map(str, version))} is too old; {'.'.join(map(str, MIN_GIT))} is needed",
                next="install a newer git, then run the same command again",
            )
        _version = version
    return _version


_version: tuple[int, ...] | None = None


def work_tree_git(location: Path, arguments: list[str], status: int | None = None) -> str:
    """Run git on the work tree at ``location`` (layout ``inplace`` only).

    Raises:
        GitFailed: with ``status`` instead of git's exit code, when given.
    """
    try:
        done = _git(["-C", str(location), *arguments], path=str(location))
    except GitFailed as error:
        error.status = error.status if status is None else status
        raise
    return done.stdout.decode("utf-8", "surrogateescape")


def _bundle_header(tag: Tag, base: str) -> bytes:
    sha256 = len(tag.commit) == 64
    lines = ["# v3 git bundle", "@object-format=sha256"] if sha256 else ["# v2 git bundle"]
    lines += [f"-{base} "] if base else []
    return "\n".join([*lines, f"{tag.oid} refs/tags/{tag.name}", "", ""]).encode()


def _environment() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in _KEPT}
    settings = {
        # the repositories belong to whoever deploys; git would refuse those of another user
        "safe.directory": "*",
        "core.hooksPath": "/dev/null",
        "core.autocrlf": "false",
        "gc.auto": "0",
        "protocol.ext.allow": "never",
        "advice.detachedHead": "false",
        # a minion is a guest on its host: git's defaults take 350 MB to read 300,000 blobs, and are no faster
        "core.deltaBaseCacheLimit": "16m",
        "core.packedGitWindowSize": "8m",
        "core.packedGitLimit": "32m",
    }
    pairs: dict[str, str] = {}
    for number, (key, value) in enumerate(settings.items()):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        **inherited,
        "HOME": inherited.get("HOME", "/nonexistent"),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **pairs,
    }


_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY", "GIT_PROXY_SSL_CAINFO")


def _git(
    arguments: list[str],
    *,
    path: str = "",
    check: bool = True,
    input: bytes | None = None,  # noqa: A002 - subprocess's own word
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    progress: Progress | None = None,
) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryFile() as given:
        if input is not None:
            given.write(input)
            given.seek(0)
        source = stdin if stdin is not None else given
        try:
            process = subprocess.Popen(
                ["git", *arguments], stdin=source, stdout=stdout, stderr=subprocess.PIPE, env=_environment()
            )
        except FileNotFoundError:
            raise GitUnusable("git is not installed", next="install git, then run the same command again") from None
        with process:
            try:
                if progress is None:
                    output, errors = process.communicate()
                else:
                    output, errors = b"", _hear(process, progress)
            except BaseException:
                process.kill()
                raise
    if check and process.returncode:
        text = "; ".join(filter(None, errors.decode("utf-8", "replace")[-1500:].splitlines()))
        raise GitFailed(text or f"git ended with {process.returncode}", path=path, status=process.returncode)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def _hear(process: subprocess.Popen[bytes], progress: Progress) -> bytes:
    """Read git's stderr to its end, telling of the progress lines in it; return the other lines."""
    assert process.stderr is not None and process.stdout is not None
    handler = _progress_handler(progress)
    others = []
    for line in _lines(process.stderr):
        if b"%" not in line:
            others.append(line)
        elif handler is not None:
            handler(line.decode("utf-8", "replace"))
    process.stdout.read()
    process.wait()
    return b"\n".join(others[-40:])


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while piece := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        yield from whole
    if rest:
        yield rest


def _progress_handler(progress: Progress) -> Callable[[str], None] | None:
    if RemoteProgress is None:
        return None

    class Told(RemoteProgress):
        def update(self, op_code: int, cur_count: Any, max_count: Any = None, message: str = "") -> None:
            phase = "receive" if op_code & RemoteProgress.OP_MASK & RemoteProgress.RECEIVING else "unpack"
            progress(phase, int(cur_count or 0), int(max_count or 0), "objects")

    return Told().new_message_handler()


def _public(url: str) -> str:
    """The URL without a password in it."""
    return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "***@", url)
