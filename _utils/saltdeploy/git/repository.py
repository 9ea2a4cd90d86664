"""A git repository that fetches releases from others, and lets git verify who has signed them. See also store.py."""

from __future__ import annotations

import contextlib
import difflib
import shlex
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from saltdeploy.git import credentials, shield
from saltdeploy.git.command import ONLINE, STREAM, Progress, git_version, no_progress
from saltdeploy.git.growth import growing
from saltdeploy.git.objects import Difference
from saltdeploy.git.reader import Tag
from saltdeploy.git.store import ASKED, ObjectStore
from saltdeploy.lib.errors import GitFailed, MovedTag, NoSuchTag, Unavailable, Unsigned
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.protocol.release import check_commit, check_tag

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


class Repository(ObjectStore):
    """One git directory, bare or the ``.git`` of a work tree.

    Attributes:
        received: bytes that the last fetch from another repository has brought.
    """

    received = 0

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

    def _take(self, url: str, tag: str, commit: str, progress: Progress) -> Tag:
        try:
            with growing(self.git_dir) as growth:
                self._fetch(url, tag, commit, progress)
            self.received = growth.bytes
            found = self.commit_of(ASKED)
            if not found:
                raise NoSuchTag(f"tag {tag} in {public(url)} names no commit", next="make a tag for a commit")
            if commit and not self.has(commit):
                raise MovedTag(
                    f"tag {tag} in {public(url)} names commit {found} now, not {commit}",
                    next="never move a deployed tag: make a new one and deploy that",
                )
            found = commit or found
            self.keep(found)
            oid = found if commit else self._hold_tag(ASKED)
        finally:
            self._run(["update-ref", "-d", ASKED], check=False)
        self.tidy()
        return Tag(tag, oid, found)

    def _hold_tag(self, ref: str) -> str:
        """See to it that what the ref names outlives the ref; return its id."""
        oid = check_commit(self._ask(["rev-parse", "--verify", "--quiet", ref]).strip())
        self.point(f"refs/deploy-tags/{oid}", oid)
        return oid

    def _fetch(self, url: str, tag: str, commit: str, progress: Progress) -> None:
        """Let :data:`ASKED` name the commit, or what the tag names there: the cheapest way that the server knows."""
        by_tag = f"refs/tags/{check_tag(tag)}"
        ways = [["--depth=1", url, commit]] if commit else []
        ways += [["--depth=1", url, by_tag], [url, by_tag]]
        error: GitFailed | None = None
        for *depth, _, wanted in ways:
            refs = ["--", url, f"+{wanted}:{ASKED}"]
            try:
                self._remote("fetch", url, ["--no-tags", "--progress", *depth, *refs], progress=progress)
                return
            except GitFailed as failed:
                if error is None and self._suit(self._advertised(url, tag)):
                    return self._fetch(url, tag, commit, progress)
                error = failed
        assert error is not None
        raise unavailable(url, tag, error)

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
            raise unavailable(url, "", failed) from failed
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
            raise unavailable(url, tag, failed) from failed
        if ref in found:
            return check_commit(found[ref])
        if branch in found:
            raise NoSuchTag(
                f"there is no tag {tag} in {public(url)}: it is a branch, and tags are deployed",
                next=f"push a tag, then try again; or let the deploy make one: {argument('branch', tag)}",
            )
        raise NoSuchTag(
            f"there is no tag {tag} in {public(url)}",
            next=f"{self._near(url, tag)}push the tag, then try again; or deploy what has no tag, by commit= or branch=",
        )

    def _near(self, url: str, tag: str) -> str:
        """The tags of another repository that may have been meant, as words to go before others; "" for none."""
        with contextlib.suppress(Unavailable):
            close = difflib.get_close_matches(tag, self.tags(url), n=3)
            if close:
                other = argument("tag", close[0])
                return f"did you mean {' or '.join(close)}? Then the same command with {other}; or "
        return ""

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

    def has_path(self, commit: str, path: str) -> bool:
        """Whether a release has a file, a link or a directory at a path."""
        return bool(self._ask(["rev-parse", "--verify", "--quiet", f"{check_commit(commit)}:{path}"]).strip())

    def message(self, tag: str) -> str:
        """What an annotated tag says; of another, what its commit says."""
        return self._ask(["for-each-ref", "--format=%(contents)", f"refs/tags/{check_tag(tag)}"])

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
                raise self._unverified(tag, failed.cause) from None
        if f"\ntag {tag.name}\n".encode() not in data.partition(b"\n\n")[0] + b"\n":
            raise _unsigned(tag, "what was signed bears another name")

    def _unverified(self, tag: Tag, cause: str) -> Unsigned:
        """Git does not accept a signature; by SSH it needs a list of those who may sign, and takes none from a repository."""
        error = _unsigned(tag, cause)
        if "allowedSignersFile" in cause:
            own = shield.setting(self.git_dir, "gpg.ssh.allowedsignersfile")
            if own:
                error.cause += f"; the one that the repository names ({own}) does not count: whoever may push could name it"
            error.next = f"git config --system gpg.ssh.allowedSignersFile {shlex.quote(own or '/etc/git/allowed_signers')}"
        return error


def _unsigned(tag: Tag, cause: str) -> Unsigned:
    new = f"{tag.name}-signed"
    return Unsigned(
        f"tag {tag.name} has no signature that git accepts: {cause}",
        next=f"git tag --sign -m {new} {new} {tag.commit}, push it, then the same command with tag={new}; "
        f"git verify-tag {new} must accept it for the user whom the master of Salt runs as",
    )


def unavailable(url: str, tag: str, error: GitFailed) -> Unavailable:
    """Why another repository, or a tag of it, cannot be fetched, with what to look at.

    Args:
        tag: several with commas between them; "" for none.
    """
    next_act = f"git ls-remote {public(url)} refs/tags/{tag}"
    cause = error.cause
    if "promisor remote" in cause:  # git names the object, and not what is wrong
        cause = f"it is a partial clone (git clone --filter) and lacks files of the release: {cause}"
        next_act = (
            "git clone --mirror, without --filter, of what it was cloned from; then name that in the pillar"
        )
    return Unavailable(f"cannot fetch from {public(url)}: {cause}", status=error.status, next=next_act)


__all__ = ["Difference", "Progress", "Repository", "Tag", "git_version", "no_progress"]
