"""A git repository that takes releases in: unpack, hold, tidy. What asks it is in reader.py and packer.py.

A target's object store and the master's mirror hold *snapshots*: each deployed commit with its tree, cut off
from its history (listed in git's ``shallow`` file). So a payload holds what one release has and the other
has not, and never what came and went between them.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saltdeploy.git import bundle as git_bundle
from saltdeploy.git.command import STREAM, Progress, git_version, no_progress, run
from saltdeploy.git.packer import Packer
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Corrupt, DeployError, DiskFull, GitFailed, Unsupported
from saltdeploy.protocol.release import check_commit, check_tag

log = logging.getLogger(__name__)

#: What the commit is called that is being fetched.
ASKED = "refs/deploy-asked/release"
_LOCKS = ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock", "objects/pack/*.lock")
_HALF_PACKS = ("objects/pack/tmp_*", "objects/pack/.tmp-*")
_ASIDES = ("shallow_*", ".shallow.*")
_FORMAT = {40: "sha1", 64: "sha256"}
# git adds to a pack what it holds differences of, which is whole big directories; to compress them once more takes
# longer than all else that a small release asks of a target
_AS_IT_IS = ("-c", "core.compression=0")


class ObjectStore(Packer):
    """A git directory as a store of snapshots."""

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
        is_there = os.path.lexists(self.git_dir)
        if is_there and not self.is_readable():
            facts = self._set_aside("git reads no repository there")
        if facts or not is_there:
            disk.make_directory(self.git_dir.parent)
            self._make([])
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
        self.let_go()
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
        self.let_go()
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
        self._delete(*_LOCKS, *_HALF_PACKS, *_ASIDES, f"{ASKED}*")
        packs = self.git_dir / "objects" / "pack"
        whole = {path.stem for path in packs.glob("*.idx")} & {path.stem for path in packs.glob("*.pack")}
        for path in packs.glob("pack-*"):
            if path.stem not in whole or path.suffix == ".keep":  # a fetch keeps its pack until the end
                path.unlink()

    def file(self, commit: str, path: str, most: int) -> bytes | None:
        """The bytes of a file of the commit; None where there is none.

        Raises:
            Corrupt: it is larger than ``most`` bytes; or the path leads over a symbolic link, of which hosts take none.
        """
        spec = f"{check_commit(commit)}:{path}"
        if not self._is_there(f"{check_commit(commit)}:{path.partition('/')[0]}"):
            return None
        self._refuse_link(commit, path)
        size = self._ask(["cat-file", "-s", spec]).strip()
        if not size:
            return None
        if int(size) > most:
            raise Corrupt(f"{path} is larger than {most} bytes", path=str(self.git_dir))
        return self._run(["cat-file", "blob", spec]).stdout

    def _refuse_link(self, commit: str, path: str) -> None:
        parts = path.split("/")
        above = ["/".join(parts[:number]) for number in range(1, len(parts) + 1)]
        listed = self._ask(["ls-tree", "-z", check_commit(commit), "--", *above])
        for entry in filter(None, listed.split("\0")):
            row, _, name = entry.partition("\t")
            if row.startswith("120000") and name in above:  # git lists what lies beside these as well
                target = self._ask(["cat-file", "blob", row.split()[2]])
                raise Corrupt(
                    f"{name} is a symbolic link (to {target[:200]}), and {path} must be a plain file of the release",
                    path=str(self.git_dir),
                )

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
        if not self._is_held(commit):
            self.point(f"refs/deploy/{commit}", commit)

    def _is_held(self, commit: str) -> bool:
        """Whether the ref that keeps a commit is there, in a file of its own."""
        try:
            return (self.git_dir / "refs" / "deploy" / commit).read_text().strip() == commit
        except (OSError, ValueError):
            return False

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
        self.let_go()

    def _tidy(self, most_packs: int) -> None:
        sizes = sorted(path.stat().st_size for path in (self.git_dir / "objects" / "pack").glob("*.pack"))
        if len(sizes) <= most_packs:
            return
        doubled = sum(sizes[:-1]) >= sizes[-1]
        if doubled and not self._is_work_tree():
            self._join()
        elif git_version() >= (2, 32):
            self._run(["repack", "--quiet", "-d", "--geometric=2"])
            self.let_go()

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
