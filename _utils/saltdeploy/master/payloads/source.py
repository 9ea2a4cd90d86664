"""Where the master reads the tags of a repo, and what it packs releases from."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.config import Repo, transports
from saltdeploy.config.pointers import ANNEX
from saltdeploy.git import credentials
from saltdeploy.git.commits import CommitReader
from saltdeploy.git.histories import TAGS, Histories
from saltdeploy.git.naming import NamingRepository
from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.git.submodule_store import SubmoduleStore
from saltdeploy.git.submodules import Urls
from saltdeploy.git.work_tree import git_dir_at
from saltdeploy.lib import flock
from saltdeploy.lib.errors import ConfigError, Corrupt, DeployError, GitFailed, NoSuchTag, Unavailable
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.master.payloads import annex_branches
from saltdeploy.master.payloads.annex_branches import Annex
from saltdeploy.protocol.release import check_tag, file_name

log = logging.getLogger(__name__)

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/]+@?[^/]*:")


class Source:
    """Where the master reads a repo's tags: the repository itself when it is on this host, else a mirror of it.

    Tags that were made here, for commits that had none, are in the mirror alone; nothing is ever written into the source.

    Args:
        root: the master's directory.

    Attributes:
        repository: where releases are read and packed.
        mirror: the master's own; of a source on this host there is one once a tag was made.
        is_remote: whether the source is on another host.
        place: the source, as a path or a URL.
        is_staged: there is no repository at the source: releases are made here by ``deploy.stage``.
    """

    def __init__(self, repo: Repo, root: Path) -> None:
        self.root = root
        credentials.sweep(root)
        if not repo.origin.source:
            raise ConfigError(
                "there is no repository to read tags from",
                repo=repo.name,
                path=f"repo_config:{repo.name}:source",
                next="set source (a path or a URL) or upstream",
            )
        self._repo = repo
        self._mirrors = root / "mirrors"
        self.is_remote = bool(_URL.match(repo.origin.source))
        self.place = repo.origin.source
        self.mirror = NamingRepository(self._mirrors / f"{file_name(repo.name)}.git")
        self._access = self.mirror.access = credentials.access_of(repo, root)
        self.repository: Repository = self.mirror
        git_dir = None if self.is_remote else _git_dir(repo)
        self.is_staged = not self.is_remote and git_dir is None
        if git_dir is not None:
            self._see_mirror(git_dir)
        elif self.is_staged and not self.mirror.is_readable():
            with self.alone():  # which makes it; two who come first would stumble over each other
                pass
        self._resolved = False
        self._origins: dict[str, str] | None = None
        self._followed: set[str] = set()

    def _see_mirror(self, git_dir: Path) -> None:
        """The commits of tags that were made here are there also when the source has lost them."""
        beside = self.mirror.git_dir if self.mirror.git_dir.is_dir() else None
        self.repository = Repository(git_dir, beside)

    @property
    def work_tree(self) -> Path | None:
        """The staging tree that the repository belongs to; None where it has none on this host."""
        if self.is_remote:
            return None
        place, git_dir = Path(self._repo.origin.source), self.repository.git_dir
        if (place / ".git").exists():
            return place
        return git_dir.parent if git_dir.name == ".git" else None

    def tag(self, name: str) -> Tag:
        """Resolve a tag.

        Raises:
            NoSuchTag, Unavailable: see :meth:`Repository.tag` and :meth:`Repository.fetch`.
        """
        self._resolved = True
        try:
            if not self.is_remote:
                return self.repository.tag(name)
            with self.alone():
                log.debug(
                    "%s: fetching tag %s from %s", self._repo.name, name, public(self._repo.origin.source)
                )
                found = self.mirror.fetch_tag(self._repo.origin.source, check_tag(name))
                self._follow_annex()
                return found
        except (NoSuchTag, Unavailable) as error:
            made = self._made(name) if isinstance(error, NoSuchTag) else None
            if made is not None:
                return made
            if self.is_staged and isinstance(error, NoSuchTag):
                error.next = f"salt-run deploy.stage {argument('repo', self._repo.name)}"
            raise error.at(repo=self._repo.name, path=public(self._repo.origin.source)) from None

    def release(self, tag: Tag) -> Tag:
        """The tag with the commit that is deployed: what the pillar lets the master make of it, or else its own.

        Raises:
            BadRelease: it has not the directory that is to be deployed.
            GitFailed, Corrupt, DiskFull: it cannot be made.
        """
        derivation = self._repo.contents.derivation
        if not derivation or tag.origin is not None:
            return tag
        from saltdeploy.git.deriving import DerivingRepository  # few repos have any made

        with self.alone():
            beside = None if self.repository is self.mirror else self.repository.git_dir
            try:
                made = DerivingRepository(self.mirror.git_dir, beside).derived(tag.commit, derivation)
            except DeployError as error:
                error.cause = f"{tag.name}: {error.cause}"
                raise error.at(repo=self._repo.name) from None
            self._origins = None
            if beside is not None:
                self._see_mirror(beside)
        return Tag(tag.name, made, made, origin=tag)

    def origin_of(self, commit: str) -> str:
        """The commit of the repository of which a release was made; itself where it was not made here."""
        if self._origins is None:
            self._origins = {}
            if (self.mirror.git_dir / "refs" / "deploy-made").is_dir():  # which no git packs
                from saltdeploy.git.deriving import DerivingRepository

                self._origins = DerivingRepository(self.mirror.git_dir).origins()
        return self._origins.get(commit, commit)

    def _made(self, name: str) -> Tag | None:
        """A tag that was made here."""
        if f"{TAGS}{name}" not in self.made_tags():
            return None
        return self.mirror.tag(name)

    def made_tags(self) -> dict[str, str]:
        """The refs of the tags that were made here, to their commits."""
        if not self.mirror.git_dir.is_dir():
            return {}
        refs = Histories(self.mirror.git_dir).refs()
        return {ref: commit for ref, commit in refs.items() if ref.startswith(TAGS)}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The mirror; nobody else uses it while the block runs, and it is there.

        Whoever makes a plan has not the lock of the repo, and would disturb a deploy in its fetch.
        """
        with flock.alone(self.mirror.git_dir.with_suffix(".lock")):
            self.mirror.ensure()
            self.mirror.recover()  # a master that was killed may have left locks
            yield

    def histories(self) -> Histories:
        """Where commits are looked up; of a source on another host its mirror of histories, as it was fetched last."""
        if not self.is_remote:
            return Histories(self.repository.git_dir)
        histories = Histories(self._mirrors / f"{file_name(self._repo.name)}+commits.git")
        histories.access = self._access
        return histories

    def bring_commit(self, commit: str, ref: str) -> None:
        """Let the mirror hold a commit; only in a block of :meth:`alone`.

        Args:
            ref: a branch or tag that reaches it.

        Raises:
            Unavailable: it cannot be had.
        """
        self._resolved = True
        if self.is_remote:
            self.mirror.bring_commit(self._repo.origin.source, commit, ref)
            self._follow_annex()
        else:
            git_dir = self.repository.git_dir
            self.mirror.bring_commit(str(git_dir.absolute()), commit, ref)
            self._see_mirror(git_dir)

    def _follow_annex(self) -> None:
        if ANNEX in self._repo.contents.blobs:
            annex_branches.follow(self.mirror, self._repo.origin.source)

    def tags(self) -> list[str]:
        """The names of all tags where the repository is, and of those that were made here; a mirror fetches nothing for it.

        Raises:
            Unavailable, GitFailed: it could not be read.
        """
        made = [ref.removeprefix(TAGS) for ref in self.made_tags()]
        if not self.is_remote:
            return list(dict.fromkeys([*self.repository.tags(), *made]))
        with self.alone():
            try:
                return list(dict.fromkeys([*self.mirror.tags(self._repo.origin.source), *made]))
            except Unavailable as error:
                raise error.at(repo=self._repo.name, path=public(self._repo.origin.source)) from None

    def history(self, *tags: str) -> CommitReader:
        """A repository that has the commits which lead to these tags. A mirror of snapshots has not: that of histories fetches them.

        Raises:
            Unavailable, NoSuchTag: see :meth:`tag`.
        """
        histories = self.histories()
        if self.is_remote:
            with self.alone():
                histories.ensure()
                histories.recover()
                try:
                    histories.fetch_history(self._repo.origin.source, tags)
                except (NoSuchTag, Unavailable) as error:
                    raise error.at(repo=self._repo.name, path=public(self._repo.origin.source)) from None
        return CommitReader(histories.git_dir)

    @contextlib.contextmanager
    def packer(self, commit: str, transport: str) -> Iterator[Repository]:
        """The repository to pack a release from; where its submodules travel as well, one that has fetched them.

        Raises:
            Unavailable, Corrupt: the commit of a submodule cannot be had.
        """
        if (
            not self._repo.contents.submodules or not transports.row(transport).kinds
        ):  # with that one, targets fetch by themselves
            yield self.repository
            return
        with self._whole(commit) as (mirror, _):
            yield mirror

    def submodules(self, commit: str) -> dict[bytes, str]:
        """Path of each submodule of a release to the URL of its repository; none where they are no part of it.

        Raises:
            Unavailable, Corrupt: see :meth:`packer`.
        """
        if not self._repo.contents.submodules:
            return {}
        with self._whole(commit) as (_, places):
            return places

    def annex(self, url: str = "") -> Annex:
        """What git-annex knows.

        Args:
            url: of a submodule's repository, which is asked what is new there once after a tag was resolved; "" for the
                repo's own, which was asked with the tag.
        """
        if not url:
            return annex_branches.own(self.repository)
        with self._parts() as mirror:
            if self._resolved and url not in self._followed:
                self._followed.add(url)
                annex_branches.follow(mirror, url, url)
            return annex_branches.other(Reader(mirror.git_dir), url)

    @contextlib.contextmanager
    def _whole(self, commit: str) -> Iterator[tuple[SubmoduleStore, dict[bytes, str]]]:
        """The mirror that has fetched the submodules of a release, and where each of them comes from."""
        with self._parts() as mirror:
            try:
                places = mirror.bring(commit)
            except (Unavailable, Corrupt) as error:
                raise error.at(repo=self._repo.name) from None
            yield mirror, places

    @contextlib.contextmanager
    def _parts(self) -> Iterator[SubmoduleStore]:
        """The mirror of submodules; nobody else uses it while the block runs."""
        top = self._repo.origin.source if self.is_remote else self.repository.setting("remote.origin.url")
        urls = Urls(top or self._repo.origin.source, self._repo.contents.submodule_urls)
        git_dir = self._mirrors / f"{file_name(self._repo.name)}.submodules.git"
        directory = self._repo.contents.derivation.subdirectory
        seen = [self.repository.git_dir, *([self.mirror.git_dir] if directory else [])]
        place = (lambda commit: (self.origin_of(commit), directory)) if directory else None
        mirror = SubmoduleStore(git_dir, urls, list(dict.fromkeys(seen)), place)
        mirror.access = self._access
        with flock.alone(git_dir.with_suffix(".lock")):
            mirror.ensure()
            mirror.recover()
            yield mirror


def _git_dir(repo: Repo) -> Path | None:
    """Of a source on this host; None where there is none since releases are made here."""
    place = Path(repo.origin.source)
    try:
        return git_dir_at(place)
    except GitFailed as error:
        if repo.staging.plan is not None:
            return None
        raise Unavailable(
            f"there is no git repository at this path (or this user may not read it): {error.cause}",
            repo=repo.name,
            path=str(place),
            next=f"clone it there, or correct repo_config:{repo.name}:source; git -C {place} status",
        ) from error
