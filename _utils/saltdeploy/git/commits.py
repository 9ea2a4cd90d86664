"""What happened between two commits: the commits, who made them, and which paths differ."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field

from saltdeploy.git.objects import NOTHING, read_changes
from saltdeploy.git.reader import Reader
from saltdeploy.protocol.release import check_commit

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
_FIELDS = 5
_FORMAT = "--format=%H%x00%an%x00%ae%x00%at%x00%s%x00"


@dataclass(frozen=True)
class Commit:
    """One commit, as its author told it; ``time`` is in seconds since the epoch."""

    oid: str
    author: str
    email: str
    time: int
    subject: str


@dataclass(frozen=True)
class Commits:
    """Commits that one release has and another has not.

    Attributes:
        count: how many there are.
        listed: the newest of them, newest first.
        authors: how many are whose.
    """

    count: int = 0
    listed: tuple[Commit, ...] = ()
    authors: Counter[str] = field(default_factory=Counter)


class CommitReader(Reader):
    """A repository that has the commits which lead to a release, and not only a snapshot of it."""

    @property
    def is_cut_off(self) -> bool:
        """Whether it lacks what was before some of its commits, as a shallow clone does."""
        return (self.git_dir / "shallow").exists()

    def knows(self, commit: str) -> bool:
        """Whether the commit is here, whatever of its files is."""
        return self._run(["cat-file", "-e", check_commit(commit)], check=False).returncode == 0

    def between(self, old: str, new: str, most: int) -> Commits:
        """The commits that ``new`` has and ``old`` has not.

        Args:
            old: a commit, or "" for none.
            most: how many are listed.

        Raises:
            GitFailed: one of them is not here.
        """
        wanted = [check_commit(new), *([f"^{check_commit(old)}"] if old else [])]
        said = self._run(["log", "--no-show-signature", "--no-mailmap", "--encoding=UTF-8", f"--max-count={most}", _FORMAT, *wanted, "--"])  # fmt: skip
        names = self._run(["log", "--no-mailmap", "--encoding=UTF-8", "-z", "--format=%an", *wanted, "--"])
        authors = Counter(name for name in names.stdout.decode("utf-8", "replace").split("\0") if name)
        words = said.stdout.decode("utf-8", "replace").split("\0")
        rows = [words[at : at + _FIELDS] for at in range(0, len(words) - _FIELDS + 1, _FIELDS)]
        return Commits(authors.total(), tuple(_commit(row) for row in rows), authors)


def _commit(row: list[str]) -> Commit:
    oid, author, email, when, subject = row
    return Commit(oid.strip(), author, email, int(when) if when.lstrip("-").isdigit() else 0, subject)


def paths(repository: Reader, old: str, new: str, most: int) -> list[tuple[str, str]]:
    """The first paths that differ between two commits, each with what became of it.

    Args:
        old: a commit, or "" for the empty tree.

    Raises:
        GitFailed: when either commit is not here.
    """
    found: list[tuple[str, str]] = []
    with tempfile.TemporaryFile() as spool:
        repository.diff(old, new, spool)
        for change in read_changes(spool):
            kind = REMOVED if change.mode == NOTHING else ADDED if change.old_mode == NOTHING else CHANGED
            found.append((change.path.decode("utf-8", "backslashreplace"), kind))
            if len(found) == most:
                break
    return found
