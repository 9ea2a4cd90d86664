"""A git repository that takes releases in: unpack, fetch, hold, tidy. What asks it is in gitreader.py and gitpacker.py.

A target's object store and the master's mirror hold *snapshots*: each deployed commit with its tree, cut off
from its history (listed in git's ``shallow`` file). So a payload holds what one release has and the other
has not, and never what came and went between them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from saltdeploy.git import bundle as git_bundle
from saltdeploy.git import credentials
from saltdeploy.git.command import ONLINE, STREAM, Progress, git_version, no_progress, run
from saltdeploy.git.growth import growing
from saltdeploy.git.packer import Packer
from saltdeploy.git.reader import Difference, Tag
from saltdeploy.lib import disk
from saltdeploy.lib.errors import (
    Corrupt,
    DeployError,
    DiskFull,
    GitFailed,
    MovedTag,
    NoSuchTag,
    Unavailable,
    Unsigned,
    Unsupported,
)
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.protocol.release import check_commit, check_tag

log = logging.getLogger(__name__)

_LOCKS = ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock", "objects/pack/*.lock")
_HALF_PACKS = ("objects/pack/tmp_*", "objects/pack/.tmp-*")
_ASIDES = ("shallow_*", ".shallow.*")
_ASKED = "refs/deploy-asked/release"
_FORMAT = {40: "sha1", 64: "sha256"}
# git adds to a pack what it holds differences of, which is whole big directories; to compress them once more takes
# longer than all else that a small release asks of a target
_AS_IT_IS = ("-c", "core.compression=0")
# git starts the other side of a local repository by a shell and without our settings; it would refuse one that
# belongs to another user
_LOCAL = ("/", "file://")
# git asks a repository whose objects it may use for its refs, and reads its configuration for that; and of one beside it
# does not know where the histories of its snapshots are cut off: it would look for what is behind them, and refuse what has come
_NO_REFS_BESIDE = ("-c", "core.alternateRefsPrefixes=refs/none/")
_SERVE_LOCAL = (
    "--upload-pack=env GIT_ALLOW_PROTOCOL=none GIT_NO_LAZY_FETCH=1 GIT_NO_REPLACE_OBJECTS=1 "
    "GIT_GRAFT_FILE=/dev/null/none git -c safe.directory='*' upload-pack"
)


class Repository(Packer):
    """One git directory, bare or the ``.git`` of a work tree.

    Attributes:
        received: bytes that the last fetch from another repository has brought.
    """

    received = 0
    _unlisted: tuple[str, ...] = ()  # what it need not have, for git-rev-list(1)

    # -- making and naming ------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Create an empty bare repository where there is none."""
        if not self.is_readable():
            self._make([])

    def ensure_usable(self) -> dict[str, Any]:
        """As :meth:`ensure`; what git cannot use goes away first, and what a process that was killed left as well.

        Returns:
            Facts for people: ``store`` where it was rebuilt.
        """
        facts = {}
        if os.path.lexists(self.git_dir) and not self.is_readable():
            facts = self._set_aside("git reads no repository there")
        disk.make_directory(self.git_dir.parent)
        self.ensure()
        self.recover()
        return facts

    @property
    def aside(self) -> Path:
        """Where the store is kept that was damaged last."""
        return self.git_dir.with_name(f"{self.git_dir.name}.damaged")

    def mend(self) -> dict[str, Any]:
        """Set the store aside when it is damaged: what was asked of it can be asked again, of an empty one.

        It looks at all that the store has, which takes long where that is much: only for when something has failed.

        Returns:
            Facts for people: ``store`` and where the damaged one is now; {} where it is sound.

        Raises:
            Corrupt: it is damaged, and somebody's work tree.
        """
        damage = self._damage() if self.git_dir.is_dir() else ""
        if not damage:
            return {}
        if self._is_work_tree():
            raise Corrupt(
                f"the repository of the work tree is damaged: {damage}",
                path=str(self.git_dir),
                next=f"{shlex.join(['mv', '--', str(self.git_dir), str(self.aside)])}; then run the same command again",
            )
        return self._set_aside(damage)

    def _set_aside(self, why: str) -> dict[str, Any]:
        disk.remove_tree(self.aside)  # that of another time: one is enough to look at
        os.rename(self.git_dir, self.aside)
        log.warning(
            "%s is damaged and is rebuilt, the damaged one is %s now: %s", self.git_dir, self.aside, why
        )
        return {"store": "rebuilt", "damaged_store": str(self.aside)}

    def _damage(self) -> str:
        """What git says is wrong with what the store has; "" where it is sound."""
        try:
            self._run([*STREAM, "rev-list", "--objects", "--all", "--quiet", *self._unlisted])
            indices = [str(path) for path in self.git_dir.glob("objects/pack/*.idx")]
            if indices:
                self._run([*STREAM, "verify-pack", "--", *indices])
        except (GitFailed, Corrupt) as error:
            return error.cause
        return ""

    def _make(self, options: list[str]) -> None:
        self.git_dir.parent.mkdir(parents=True, exist_ok=True)
        command = ["init", "--quiet", "--bare", "--template=", *options, "--", str(self.git_dir)]
        run(command, path=str(self.git_dir))

    @staticmethod
    def make_work_tree(place: Path) -> None:
        """Make an empty work tree with its ``.git``, or what lacks of one."""
        run(["init", "--quiet", "--", str(place)], path=str(place))

    def _suit(self, oid: str) -> bool:
        """Rebuild the store when the objects of a release are named by another hash than its own.

        What it holds is of no use then: a repository has one hash.

        Returns:
            Whether it was rebuilt.

        Raises:
            Unsupported: it is somebody's work tree.
        """
        wanted = _FORMAT[len(oid)]
        found = self.format()
        if found in ("", wanted):
            return False
        if self._is_work_tree():
            raise Unsupported(
                f"the release is of a {wanted} repository, and this work tree is {found}",
                path=str(self.git_dir),
                next="choose layout slots, or move the work tree away",
            )
        disk.remove_tree(self.git_dir)
        self._make([f"--object-format={wanted}"])
        return True

    def format(self) -> str:
        """The hash that names its objects: ``sha1`` or ``sha256``; "" where git reads no repository."""
        return self._ask(["rev-parse", "--show-object-format"]).strip()

    def _is_work_tree(self) -> bool:
        """Whether the repository is its users' own: they may want what we do not need."""
        return self.git_dir.name == ".git"

    def recover(self) -> None:
        """Delete what git processes left that were killed. Only for the one who uses the repository alone."""
        self._delete(*_LOCKS, *_HALF_PACKS, *_ASIDES, f"{_ASKED}*")
        packs = self.git_dir / "objects" / "pack"
        whole = {path.stem for path in packs.glob("*.idx")} & {path.stem for path in packs.glob("*.pack")}
        for path in packs.glob("pack-*"):
            if path.stem not in whole or path.suffix == ".keep":  # a fetch keeps its pack until the end
                path.unlink()

    def file(self, commit: str, path: str, most: int) -> bytes | None:
        """The bytes of a file of the commit; None where there is none.

        Raises:
            Corrupt: it is larger than ``most`` bytes.
        """
        spec = f"{check_commit(commit)}:{path}"
        size = self._ask(["cat-file", "-s", spec]).strip()
        if not size:
            return None
        if int(size) > most:
            raise Corrupt(f"{path} is larger than {most} bytes", path=str(self.git_dir))
        return self._run(["cat-file", "blob", spec]).stdout

    def locks(self) -> list[Path]:
        """Lock files, of git processes that are at work or were killed."""
        return [path for pattern in _LOCKS for path in self.git_dir.glob(pattern)]

    def name(self, commit: str, tag: str) -> None:
        """Make the tag name the commit in this repository, unless another tag is in its way.

        ``release/1`` and ``release/1/hotfix`` cannot both be there; where a release came from they are not.
        """
        ref = f"refs/tags/{check_tag(tag)}"
        try:
            self.point(ref, commit)
        except GitFailed:
            others = self._ask(["for-each-ref", "--format=%(refname)/", "refs/tags/"]).split()
            if not any(other.startswith(f"{ref}/") or f"{ref}/".startswith(other) for other in others):
                raise

    def point(self, ref: str, commit: str) -> None:
        """Make ``ref`` name the commit."""
        self._run(["update-ref", ref, commit])

    def forget(self, ref: str) -> None:
        """Let ``ref`` name nothing."""
        self._run(["update-ref", "-d", ref])

    # -- snapshots --------------------------------------------------------------------------------------

    def unpack(self, bundle: Path, commit: str, progress: Progress = no_progress) -> None:
        """Take in a bundle that :meth:`pack` wrote.

        Raises:
            Corrupt: when it is no bundle, or does not hold ``commit``.
            GitFailed: when git cannot read it.
        """
        bases = git_bundle.prerequisites(bundle)
        self._suit(commit)
        for base in bases:
            if self.has(base):  # it may have been dropped and still be here; git wants it held
                self.keep(base)
        flags = ["--progress"] if git_version() >= (2, 36) else []
        try:
            self._run([*STREAM, *_AS_IT_IS, "bundle", "unbundle", *flags, str(bundle)], progress=progress)
        except DeployError:
            self._delete(*_HALF_PACKS)  # they take space, on a disk that may be full
            raise
        self.keep(commit)
        self.tidy()

    def keep(self, commit: str) -> None:
        """Make ``commit`` a snapshot that the store keeps.

        Raises:
            Corrupt: when it is not here.
        """
        if not self.has(commit):
            raise Corrupt(
                f"commit {commit} is not in what was received",
                path=str(self.git_dir),
                next="run the same command again",
            )
        if not (self._is_work_tree() and self._has_parents(commit)):
            self._cut(commit)
        self.point(f"refs/deploy/{commit}", commit)

    def _has_parents(self, commit: str) -> bool:
        head, _, _ = self._run(["cat-file", "commit", commit]).stdout.partition(b"\n\n")
        words = [line.split() for line in head.decode("utf-8", "replace").splitlines()]
        return all(self.has(word[1]) for word in words if word[0] == "parent")

    def forget_all_but(self, commits: Iterable[str]) -> None:
        """Drop every snapshot that is not among ``commits``; git collects them later."""
        keep = {f"refs/deploy/{commit}" for commit in commits}
        refs = self._ask(["for-each-ref", "--format=%(refname)", "refs/deploy/"]).split()
        lines = "".join(f"delete {ref}\n" for ref in refs if ref not in keep)
        if lines:
            self._run(["update-ref", "--stdin"], input=lines.encode())

    def tidy(self, most_packs: int = 20) -> None:
        """Join packs when there are many: each fetch brings one, and git slows down with their number.

        The cost is shared out: a geometric repack touches a pack of n objects about log n times in its life,
        and all of it is rewritten, without what was dropped, each time that it has doubled. Where there is
        no room for that, the store stays as it is: housekeeping must not hold up a release that is here.
        """
        try:
            self._tidy(most_packs)
        except (GitFailed, DiskFull):
            self._delete(*_HALF_PACKS)

    def compact(self) -> None:
        """Write everything anew without what was dropped; where there is no room for that, it stays as it is."""
        try:
            self._join()
        except (GitFailed, DiskFull):
            self._delete(*_HALF_PACKS)

    def _join(self) -> None:
        self._run(["repack", "--quiet", "-a", "-d"])
        self._run(["prune", "--expire=now"])

    def _tidy(self, most_packs: int) -> None:
        sizes = sorted(path.stat().st_size for path in (self.git_dir / "objects" / "pack").glob("*.pack"))
        if len(sizes) <= most_packs:
            return
        doubled = sum(sizes[:-1]) >= sizes[-1]
        if doubled and not self._is_work_tree():
            self._join()
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
            NoSuchTag: it has no such tag, or the tag names no commit.
            MovedTag: the tag names another commit, and the server does not give the one that was asked for.
        """
        if commit:
            self._suit(commit)
        return self._take(url, tag, commit, progress).commit

    def fetch_tag(self, url: str, tag: str) -> Tag:
        """Fetch a tag, the object of an annotated one as well, and its commit.

        Raises:
            Unavailable, NoSuchTag: see :meth:`fetch`.
        """
        return self._take(url, tag, "", no_progress)

    def follow(self, url: str, branches: Mapping[str, str]) -> None:
        """Bring branches as they are in another repository now, without their history; those that cannot be had stay.

        Args:
            branches: name of each there to the ref that holds it here.
        """
        with contextlib.suppress(GitFailed):
            there = self._named(url, [f"refs/heads/{branch}" for branch in branches])
            refs = {f"refs/heads/{branch}": ref for branch, ref in branches.items()}
            news = [
                f"+{name}:{refs[name]}" for name, oid in there.items() if oid != self.commit_of(refs[name])
            ]
            if news:
                self._remote("fetch", url, ["--no-tags", "--depth=1", "--", url, *news])

    def fetch_history(self, url: str, tags: Collection[str]) -> None:
        """Bring the commits that lead to tags; without their files, where the server can do that.

        Raises:
            Unavailable, NoSuchTag: see :meth:`fetch`.
        """
        refs = [f"+refs/tags/{check_tag(tag)}:refs/history/{tag}" for tag in tags]
        # git leaves out files only for a remote that it may ask for them later; nobody ever does here
        settings = {"remote.history.url": url, "remote.history.promisor": "true"}
        try:
            self._remote(
                "fetch", url, ["--no-tags", "--filter=tree:0", "--", "history", *refs], settings=settings
            )
        except GitFailed as failed:
            named = [self._advertised(url, tag) for tag in tags]
            if any(self._suit(oid) for oid in named):
                return self.fetch_history(url, tags)
            raise _unavailable(url, ", ".join(tags), failed) from failed

    def _take(self, url: str, tag: str, commit: str, progress: Progress) -> Tag:
        try:
            with growing(self.git_dir) as growth:
                self._fetch(url, tag, commit, progress)
            self.received = growth.bytes
            found = self.commit_of(_ASKED)
            if not found:
                raise NoSuchTag(f"tag {tag} in {public(url)} names no commit", next="make a tag for a commit")
            if commit and not self.has(commit):
                raise MovedTag(
                    f"tag {tag} in {public(url)} names commit {found} now, not {commit}",
                    next="never move a deployed tag: make a new one and deploy that",
                )
            found = commit or found
            self.keep(found)
            oid = found if commit else self._hold_tag(_ASKED)
        finally:
            self._run(["update-ref", "-d", _ASKED], check=False)
        self.tidy()
        return Tag(tag, oid, found)

    def _hold_tag(self, ref: str) -> str:
        """See to it that what the ref names outlives the ref; return its id."""
        oid = check_commit(self._ask(["rev-parse", "--verify", "--quiet", ref]).strip())
        self.point(f"refs/deploy-tags/{oid}", oid)
        return oid

    def _fetch(self, url: str, tag: str, commit: str, progress: Progress) -> None:
        """Let :data:`_ASKED` name the commit, or what the tag names there: the cheapest way that the server knows."""
        by_tag = f"refs/tags/{check_tag(tag)}"
        ways = [["--depth=1", url, commit]] if commit else []
        ways += [["--depth=1", url, by_tag], [url, by_tag]]
        error: GitFailed | None = None
        for *depth, _, wanted in ways:
            refs = ["--", url, f"+{wanted}:{_ASKED}"]
            try:
                self._remote("fetch", url, ["--no-tags", "--progress", *depth, *refs], progress=progress)
                return
            except GitFailed as failed:
                if error is None and self._suit(self._advertised(url, tag)):
                    return self._fetch(url, tag, commit, progress)
                error = failed
        assert error is not None
        raise _unavailable(url, tag, error)

    def tags(self, url: str = "") -> list[str]:
        """The names of all tags, here or in another repository.

        Raises:
            Unavailable: the other one could not be read.
            GitFailed: this one could not.
        """
        if not url:
            listed = self._run(["for-each-ref", "--format=%(refname:strip=2)", "refs/tags/"]).stdout
            return listed.decode("utf-8", "replace").splitlines()
        try:
            answer = self._remote("ls-remote", url, ["--tags", "--refs", "--", url]).stdout
        except GitFailed as failed:
            raise _unavailable(url, "", failed) from failed
        lines = answer.decode("utf-8", "replace").splitlines()
        return [line.partition("\t")[2].removeprefix("refs/tags/") for line in lines]

    def _advertised(self, url: str, tag: str) -> str:
        """What the tag names in another repository.

        Raises:
            Unavailable, NoSuchTag: see :meth:`fetch`.
        """
        ref, branch = f"refs/tags/{tag}", f"refs/heads/{tag}"
        try:
            found = self._named(url, [ref, branch])
        except GitFailed as failed:
            raise _unavailable(url, tag, failed) from failed
        if ref in found:
            return check_commit(found[ref])
        if branch in found:
            raise NoSuchTag(
                f"there is no tag {tag} in {public(url)}: it is a branch, and tags are deployed",
                next=f"push a tag, then try again; or let the deploy make one: {argument('branch', tag)}",
            )
        raise NoSuchTag(
            f"there is no tag {tag} in {public(url)}",
            next="push the tag, then try again; a commit without one: commit=..., or branch=...",
        )

    def _named(self, url: str, refs: Collection[str]) -> dict[str, str]:
        """Those of these refs that another repository has, to what each names there.

        Raises:
            GitFailed: the repository could not be read.
        """
        answer = self._remote("ls-remote", url, ["--", url, *refs]).stdout.decode("utf-8", "replace")
        named = (line.split("\t") for line in answer.splitlines())
        return {name: oid for oid, name in named if name in refs}  # git gives those as well that end like one

    def _remote(
        self,
        command: str,
        url: str,
        arguments: list[str],
        settings: Mapping[str, str] = MappingProxyType({}),
        **options: Any,
    ) -> subprocess.CompletedProcess[bytes]:
        local = [_SERVE_LOCAL] if url.startswith(_LOCAL) else []
        bare, secret = credentials.apart(url)
        arguments = [bare if word == url else word for word in arguments]
        more = [
            word
            for key, value in settings.items()
            for word in ("-c", f"{key}={bare if value == url else value}")
        ]
        return self._run(
            [*STREAM, *_NO_REFS_BESIDE, *more, command, *local, *arguments],
            environment={**ONLINE, **secret},
            **options,
        )

    # -- signatures -------------------------------------------------------------------------------------

    def verify(self, tag: Tag) -> None:
        """Let git verify the signature of an annotated tag, as the configuration of this user and host says.

        The repository's own configuration is not asked: whoever may push could name the trusted keys there, or a
        program that "verifies". So the tag is looked at in an empty repository.

        Raises:
            Unsigned: it has none, or one that git does not accept; or it was signed under another name.
        """
        if tag.oid == tag.commit:
            raise _unsigned(tag, "it is a lightweight tag, which cannot be signed")
        data = self._run(["cat-file", "tag", tag.oid]).stdout
        with tempfile.TemporaryDirectory(prefix="saltdeploy-") as scratch:
            empty = Repository(Path(scratch, "verify.git"))
            empty._make(["--object-format=sha256"] if len(tag.oid) == 64 else [])
            written = empty._run(["hash-object", "-t", "tag", "-w", "--literally", "--stdin"], input=data)
            try:
                empty._run(["verify-tag", written.stdout.decode().strip()])
            except GitFailed as failed:
                raise _unsigned(tag, failed.cause) from None
        if f"\ntag {tag.name}\n".encode() not in data.partition(b"\n\n")[0] + b"\n":
            raise _unsigned(tag, "what was signed bears another name")

    # -- files ------------------------------------------------------------------------------------------

    def _delete(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self.git_dir.glob(pattern):
                path.unlink(missing_ok=True)

    def _cut(self, commit: str) -> None:
        path = self.git_dir / "shallow"
        known = path.read_text().split() if path.exists() else []
        if commit not in known:
            disk.write_atomically(path, "".join(f"{c}\n" for c in [*known, commit]).encode())


def _unsigned(tag: Tag, cause: str) -> Unsigned:
    return Unsigned(
        f"tag {tag.name} has no signature that git accepts: {cause}",
        next=f"git tag --sign a new tag; git verify-tag {tag.name}, as the user that Salt's master runs as, must accept it",
    )


def _unavailable(url: str, tag: str, error: GitFailed) -> Unavailable:
    return Unavailable(
        f"cannot fetch from {public(url)}: {error.cause}",
        status=error.status,
        next=f"git ls-remote {public(url)} refs/tags/{tag}",
    )


__all__ = ["Difference", "Progress", "Repository", "Tag", "git_version", "no_progress"]
