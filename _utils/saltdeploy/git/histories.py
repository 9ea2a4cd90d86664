"""Asks for commits by what people call them: a short id, a branch. Of another repository its commits are kept for that.

A mirror of histories holds commits and tags, and no trees where the server knows how to leave them out. Nothing is
deployed from it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from saltdeploy.git.repository import Repository, unavailable
from saltdeploy.lib.errors import GitFailed, NoSuchRevision, Unavailable
from saltdeploy.lib.text import public
from saltdeploy.protocol.release import check_commit, check_tag

HEADS, TAGS, REMOTES = "refs/heads/", "refs/tags/", "refs/remotes/"
_ALL = (f"+{HEADS}*:{HEADS}*", f"+{TAGS}*:{TAGS}*")
_ID = re.compile(r"[0-9a-f]{4,64}")
_FULL = (40, 64)
_MOST_NAMED = 5
_PEELED = "^{}"


class Histories(Repository):
    """The source itself where it is on this host, else a mirror of its histories."""

    def bring(self, url: str, refs: dict[str, str]) -> None:
        """Fetch what is new in the histories of another repository.

        Args:
            refs: what :meth:`refs` said of it.

        Raises:
            Unavailable: it could not be read.
        """
        self.ensure()
        if refs:
            self._suit(next(iter(refs.values())))
        self.recover()
        options = ["--quiet", "--no-tags", "--prune", "--filter=tree:0", "--", url, *_ALL]
        try:
            self._remote("fetch", url, options)
        except GitFailed as failed:
            raise _unreadable(url, failed) from failed

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
            raise unavailable(url, ", ".join(tags), failed) from failed

    def refs(self, url: str = "") -> dict[str, str]:
        """All branches and tags, here or in another repository, to what each names; of a tag, the commit that it is of.

        Raises:
            Unavailable: the other one could not be read.
            GitFailed: this one could not.
        """
        if url:
            try:
                listed = self._remote("ls-remote", url, ["--heads", "--tags", "--", url]).stdout
            except GitFailed as failed:
                raise _unreadable(url, failed) from failed
            pairs = [line.split("\t") for line in listed.decode("utf-8", "replace").splitlines()]
        else:
            form = f"%(objectname)%09%(refname)%0a%(*objectname)%09%(refname){_PEELED}"
            listed = self._run(["for-each-ref", f"--format={form}", HEADS, TAGS, REMOTES]).stdout
            pairs = [line.split("\t") for line in listed.decode("utf-8", "replace").splitlines()]
        found = {name: oid for oid, name in pairs if oid}
        peeled = {name.removesuffix(_PEELED): oid for name, oid in found.items() if name.endswith(_PEELED)}
        return {name: oid for name, oid in {**found, **peeled}.items() if not name.endswith(_PEELED)}

    def commit_by_id(self, name: str) -> str:
        """The commit that a full or a short id means here.

        Raises:
            NoSuchRevision: it is no id, or means no commit or more than one.
        """
        wanted = name.lower()
        if not _ID.fullmatch(wanted):
            raise NoSuchRevision(f"{name[:80]!r} is no commit id: 4 to 64 of 0-9 and a-f")
        found = [oid for oid in self._beginning(wanted) if self._kind(oid) == "commit"]
        if len(found) > 1:
            shown = ", ".join(sorted(found)[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
            meant = "; or ".join(f"commit={oid}" for oid in sorted(found)[:_MOST_NAMED])
            raise NoSuchRevision(f"commit {wanted} is ambiguous: it can be {shown}", next=meant)
        if not found:
            raise NoSuchRevision(f"no branch and no tag of the source reaches a commit {wanted}")
        return check_commit(found[0])

    def reaching(self, commit: str) -> str:
        """A branch or tag whose history has the commit; "" where none has."""
        command = ["for-each-ref", f"--contains={commit}", "--count=1", "--format=%(refname)"]
        return self._ask([*command, HEADS, TAGS, REMOTES]).strip()

    def _beginning(self, wanted: str) -> list[str]:
        """The ids of all objects here that begin so."""
        if len(wanted) in _FULL:
            return [wanted] if self._kind(wanted) else []
        return self._ask(["rev-parse", f"--disambiguate={wanted}"]).split()

    def _kind(self, oid: str) -> str:
        return self._ask(["cat-file", "-t", oid]).strip()


def near(name: str, refs: dict[str, str], kind: str) -> list[str]:
    """Names of this kind that are spelled nearly so."""
    return difflib.get_close_matches(
        name, [ref.removeprefix(kind) for ref in refs if ref.startswith(kind)], n=3
    )


def _unreadable(url: str, error: GitFailed) -> Unavailable:
    return Unavailable(
        f"cannot fetch from {public(url)}: {error.cause}",
        status=error.status,
        next=f"git ls-remote {public(url)}",
    )
