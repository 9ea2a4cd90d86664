"""A repository that holds releases with their submodules: one store for the commits of all, one list of files.

A submodule's commit is held for the release that records it, by ``refs/deploy-parts/<release>/<commit>``. When all are
here, those of submodules of submodules as well, ``refs/deploy-parts/<release>/whole`` says so; only then the store has
the release.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import IO

from saltdeploy.config import Repo
from saltdeploy.git.objects import GITLINK, NOTHING, Change, read_changes
from saltdeploy.git.reader import EMPTY_TREE
from saltdeploy.git.repository import Progress, Repository, no_progress
from saltdeploy.git.submodules import MODULES, MOST, Urls, below, urls_in
from saltdeploy.lib.errors import Corrupt, GitFailed, Unavailable
from saltdeploy.lib.text import public

_PARTS = "refs/deploy-parts"
_ASKED = "refs/deploy-asked"


class SubmoduleStore(Repository):
    """See the module.

    Args:
        urls: where the repositories of submodules are.
        beside: see :class:`Reader`.
        place: the release that was made of a commit to that commit, and to the directory of it that is deployed.
    """

    def __init__(
        self,
        git_dir: Path,
        urls: Urls,
        beside: Path | Sequence[Path] | None = None,
        place: Callable[[str], tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(git_dir, beside)
        self._urls = urls
        self._place = place or (lambda commit: (commit, ""))

    def has(self, commit: str) -> bool:
        """Whether the commit and all its submodules are here."""
        return super().has(commit) and bool(self.commit_of(f"{_PARTS}/{commit}/whole"))

    def parts(self, commit: str) -> list[str]:
        """The commits of all submodules of a release that is here."""
        listed = self._ask(["for-each-ref", "--format=%(refname:lstrip=3)", f"{_PARTS}/{commit}/"]).split()
        return sorted(set(listed) - {"whole"})

    def keep(self, commit: str) -> None:
        """Keep a release and to its submodules.

        Raises:
            Corrupt: one of them is not here.
        """
        if super().has(commit):
            self._hold_below(commit, commit, b"")
            self.point(f"{_PARTS}/{commit}/whole", commit)
        super().keep(commit)

    def _hold_below(self, release: str, commit: str, above: bytes) -> None:
        for path, part in self.submodules(commit).items():
            where = above + path
            if not super().has(part):
                raise Corrupt(
                    f"commit {part} of the submodule is not in what was received",
                    path=_name(where),
                    next="run the same command again",
                )
            self._hold(release, part)
            self._hold_below(release, part, where + b"/")

    def _hold(self, release: str, part: str) -> None:
        self._cut(part)
        self.point(f"{_PARTS}/{release}/{part}", part)

    def forget_all_but(self, commits: Iterable[str]) -> None:
        """Drop the submodules as well."""
        commits = set(commits)
        super().forget_all_but(commits)
        refs = self._ask(["for-each-ref", "--format=%(refname)", f"{_PARTS}/"]).split()
        lines = "".join(f"delete {ref}\n" for ref in refs if ref.split("/")[2] not in commits)
        if lines:
            self._run(["update-ref", "--stdin"], input=lines.encode())

    def diff(self, old: str, new: str, spool: IO[bytes]) -> None:
        """As :meth:`Reader.diff`, with the files of submodules among those of the release, in the order of their paths."""
        waiting: list[tuple[bytes, Change]] = []
        with tempfile.TemporaryFile() as own:
            super().diff(old, new, own)
            for change in read_changes(own):
                self._diff_parts(waiting, spool, change.path)
                if GITLINK not in (change.mode, change.old_mode):
                    _tell(change, spool)
                    continue
                _tell_own(change, spool)
                # git has a submodule where its name stands, as if it were a file: "lib-x" comes before "lib/"
                heapq.heappush(waiting, (change.path + b"/", change))
            self._diff_parts(waiting, spool)
        spool.flush()

    def sizes(self, commit: str) -> Generator[int, None, None]:
        """As :meth:`Reader.sizes`, with the files of submodules; each of these counts as an empty file besides."""
        yield from super().sizes(commit)
        for part in self.submodules(commit).values():
            yield from self.sizes(part)

    def _diff_parts(
        self, waiting: list[tuple[bytes, Change]], spool: IO[bytes], until: bytes | None = None
    ) -> None:
        """Tell of the submodules that come before a path; None: of all that are waiting."""
        while waiting and (until is None or waiting[0][0] < until):
            self._diff_part(heapq.heappop(waiting)[1], spool)

    def _diff_part(self, change: Change, spool: IO[bytes]) -> None:
        """What becomes of the files below one path that is or was a submodule."""
        old = change.old_oid if change.old_mode == GITLINK else ""
        new = change.oid if change.mode == GITLINK else EMPTY_TREE[len(change.oid)]
        with tempfile.TemporaryFile() as inner:
            self.diff(old, new, inner)
            for each in read_changes(inner):
                _tell(each, spool, change.path + b"/")

    # -- fetching ---------------------------------------------------------------------------------------

    def bring(self, commit: str, progress: Progress = no_progress) -> dict[bytes, str]:
        """Fetch what lacks of the submodules of a commit, which is here or beside.

        Returns:
            Path of each submodule to the URL of its repository.

        Raises:
            Unavailable: a recorded commit cannot be had.
            Corrupt: a submodule is recorded and ``.gitmodules`` does not say where it is, or must not.
        """
        self._suit(commit)
        places = self._bring_below(commit, commit, self._urls.top, b"", progress)
        self.point(f"{_PARTS}/{commit}/whole", commit)
        return places

    def _bring_below(
        self, release: str, commit: str, url: str, above: bytes, progress: Progress
    ) -> dict[bytes, str]:
        places: dict[bytes, str] = {}
        links = self.submodules(commit)
        said = self._said(commit, is_release=commit == release) if links else {}
        for path, part in links.items():
            where = above + path
            try:
                if path not in said:
                    raise Corrupt(f"the release records a submodule that {MODULES} does not name")
                place = self._urls.of(said[path], url)
            except Corrupt as error:
                error.next = f"mend {MODULES} in a new release, or set checkout_submodules to false"
                raise error.at(path=_name(where)) from None
            if not super().has(part):
                self._fetch_part(place, part, where, progress)
            self._hold(release, part)
            places |= {where: place, **self._bring_below(release, part, place, where + b"/", progress)}
        return places

    def _said(self, commit: str, *, is_release: bool) -> dict[bytes, str]:
        """What ``.gitmodules`` says of the submodules of a commit."""
        of, directory = self._place(commit) if is_release else (commit, "")
        return below(urls_in(self.file(of, MODULES, MOST) or b""), directory)

    def _fetch(self, url: str, tag: str, commit: str, progress: Progress) -> None:
        super()._fetch(url, tag, commit, progress)
        found = commit or self.commit_of(f"{_ASKED}/release")
        if found and super().has(found):
            self.bring(found, progress)

    def _fetch_part(self, url: str, part: str, path: bytes, progress: Progress) -> None:
        """The commit alone where the server gives it; else all branches and tags, since one of them may hold it."""
        every = [f"+refs/{kind}/*:{_ASKED}/{kind}/*" for kind in ("heads", "tags")]
        cause, status, next_act = "its branches and tags do not hold it", None, ""
        for wanted in (["--depth=1", "--", url, f"+{part}:{_ASKED}/part"], ["--", url, *every]):
            try:
                self._remote("fetch", url, ["--no-tags", "--progress", *wanted], progress=progress)
            except GitFailed as error:
                cause, status, next_act = error.cause, error.status, error.next
            if super().has(part):
                break
        self._forget_asked()
        if not super().has(part):
            raise Unavailable(
                f"commit {part} of the submodule cannot be had from {public(url)}: {cause}",
                path=_name(path),
                status=status,
                next=next_act
                or f"push that commit (git ls-remote {public(url)}), or lead elsewhere by submodule_urls",
            )

    def _forget_asked(self) -> None:
        refs = self._ask(["for-each-ref", "--format=%(refname)", f"{_ASKED}/"]).split()
        lines = "".join(f"delete {ref}\n" for ref in refs if ref != f"{_ASKED}/release")
        self._run(["update-ref", "--stdin"], input=lines.encode())


def store_of(repo: Repo, git_dir: Path) -> Repository:
    """A target's object store, as the repo's configuration wants it."""
    return SubmoduleStore(git_dir, urls_of(repo)) if repo.contents.submodules else Repository(git_dir)


def urls_of(repo: Repo) -> Urls:
    """Where a target finds the repositories of submodules."""
    return Urls(repo.origin.url, repo.contents.submodule_urls)


def _tell_own(change: Change, spool: IO[bytes]) -> None:
    """Tell of the file that was, or is now, at the path of a submodule."""
    nothing = "0" * len(change.oid)
    if change.old_mode not in (GITLINK, NOTHING):
        _tell(Change(change.path, NOTHING, nothing, change.old_mode, change.old_oid), spool)
    if change.mode not in (GITLINK, NOTHING):
        _tell(Change(change.path, change.mode, change.oid, NOTHING, nothing), spool)


def _tell(change: Change, spool: IO[bytes], above: bytes = b"") -> None:
    """Write a change as ``git diff-tree --raw -z`` does."""
    head = f":{change.old_mode} {change.mode} {change.old_oid} {change.oid} -"
    spool.write(head.encode() + b"\0" + above + change.path + b"\0")


def _name(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
