"""A work tree in which people make releases: what it is on, whether it is clean, its tags, its submodules.

People own it. Nothing here is undone behind their backs: each function does what its name says and raises when it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from saltdeploy.git.command import run
from saltdeploy.git.objects import GITLINK
from saltdeploy.lib.errors import GitFailed, NoSuchTag, Unavailable
from saltdeploy.protocol.release import check_tag

LEVELS = ("system", "global", "local")

_FIELDS = ("%(refname:strip=2)", "%(objectname)", "%(*objectname)", "%(creatordate:unix)")
_LIST = ("--includes", "--null", "--list")


def own_configuration() -> dict[str, str]:
    """What the system's and the user's files say, wherever one is: ``section.name`` to its last value."""
    found: dict[str, str] = {}
    for level in ("system", "global"):
        listed = run(["config", f"--{level}", *_LIST], check=False).stdout
        found |= _listed(listed.decode("utf-8", "backslashreplace"))
    return found


@dataclass(frozen=True)
class TagLine:
    """A tag as a list shows it.

    Attributes:
        commit: what it leads to; a lightweight tag is that itself.
        made: seconds since the epoch.
    """

    name: str
    commit: str
    made: float


class StagingTree:
    """The work tree that a directory is in.

    Args:
        place: any directory in it.

    Attributes:
        top: its uppermost directory.
        git_dir: its ``.git``, or where that leads.

    Raises:
        Unavailable: the directory is in none.
    """

    def __init__(self, place: Path) -> None:
        try:
            found = run(
                ["-C", str(place), "rev-parse", "--show-toplevel", "--absolute-git-dir"], path=str(place)
            )
        except GitFailed as error:
            raise Unavailable(
                f"no git work tree is here: {error.cause}",
                path=str(place.absolute()),
                next="cd to the staging repository, then run the same command again",
            ) from error
        self.top, self.git_dir = (Path(line) for line in found.stdout.decode().splitlines())

    def configuration(self, level: str) -> dict[str, str]:
        """What one of :data:`LEVELS` says: ``section.name`` to its last value; {} where there is no such file."""
        return _listed(self._run(["config", f"--{level}", *_LIST], check=False))

    def head(self) -> str:
        """The commit that is checked out; "" before the first one."""
        return self._run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], check=False).strip()

    def is_dirty(self) -> bool:
        """Whether a file that git knows differs from the commit; files that it does not know do not count."""
        return bool(self._run(["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=none"]))

    def tags(self, *patterns: str) -> list[TagLine]:
        """Tags of commits, those made last first.

        Args:
            patterns: of :manpage:`git-for-each-ref(1)`, below ``refs/tags``; none: all.
        """
        form = "--format=" + "%00".join(_FIELDS)
        refs = [f"refs/tags/{pattern}" for pattern in patterns or ("",)]
        listed = self._run(["for-each-ref", "--sort=-refname", "--sort=-creatordate", form, *refs])
        rows = [line.split("\0") for line in listed.splitlines()]
        return [TagLine(name, commit or oid, float(made or 0)) for name, oid, commit, made in rows]

    def commit_of(self, tag: str) -> str:
        """The commit of a tag.

        Raises:
            NoSuchTag: there is none.
        """
        found = self._run(
            ["rev-parse", "--verify", "--quiet", f"refs/tags/{check_tag(tag)}^{{commit}}"], check=False
        )
        if not found:
            raise NoSuchTag(f"there is no tag {tag}", path=str(self.top), next="git deploy show")
        return found.strip()

    def make_tag(self, name: str, message: str, identity: Mapping[str, str]) -> None:
        """Make an annotated tag of what is checked out.

        Args:
            name: it must not be there yet.
            message: of the tag.
            identity: ``user.name`` and ``user.email`` of whoever makes it.

        Raises:
            GitFailed: it is there, or git cannot write it.
        """
        who = {"GIT_COMMITTER_NAME": identity["user.name"], "GIT_COMMITTER_EMAIL": identity["user.email"]}
        words = ["tag", "--annotate", "--file=-", "--cleanup=verbatim", check_tag(name)]
        run(["-C", str(self.top), *words], path=str(self.top), input=message.encode(), environment=who)

    def reset(self, commit: str) -> None:
        """Bring branch, index and files to a commit; changes that were not committed are lost.

        Raises:
            GitFailed: git cannot.
        """
        self._run(["reset", "--quiet", "--hard", commit])

    def update_server_info(self) -> None:
        """Let who reads by plain http find the tags."""
        self._run(["update-server-info"])

    def submodules(self) -> Iterator[StagingTree]:
        """The submodules that are checked out here, and those in them."""
        for line in self._run(["ls-files", "--stage", "-z"]).split("\0"):
            mode, _, path = line.partition("\t")
            place = self.top / path
            if mode.startswith(GITLINK) and (place / ".git").exists():
                submodule = StagingTree(place)
                yield submodule
                yield from submodule.submodules()

    def subjects(self, old: str, new: str, most: int) -> list[str]:
        """The commits that one has and the other has not, newest first: ``a1b2c3d subject``."""
        span = f"{old}..{new}" if old else new
        shown = self._run(["log", f"--max-count={most}", "--format=%h %s", span, "--"], check=False)
        return shown.splitlines()

    def _run(self, words: list[str], *, check: bool = True) -> str:
        done = run(["-C", str(self.top), *words], path=str(self.top), check=check)
        return done.stdout.decode("utf-8", "backslashreplace")


def _listed(text: str) -> dict[str, str]:
    said = (line.partition("\n") for line in text.split("\0") if line)
    return {key: value for key, _, value in said}
