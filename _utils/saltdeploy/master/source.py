"""Where the master reads the tags of a repo, and what it packs releases from."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.config import Repo, transports
from saltdeploy.config.blobs import ANNEX
from saltdeploy.git.reader import Reader, git_dir_at
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.git.submodule_store import SubmoduleStore
from saltdeploy.git.submodules import Urls
from saltdeploy.lib import flock
from saltdeploy.lib.errors import ConfigError, Corrupt, GitFailed, NoSuchTag, Unavailable
from saltdeploy.lib.text import public
from saltdeploy.master import annex_branches
from saltdeploy.master.annex_branches import Annex
from saltdeploy.protocol.release import check_tag, file_name

log = logging.getLogger(__name__)

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/]+@?[^/]*:")


class Source:
    """Where the master reads a repo's tags: the repository itself when it is on this host, else a mirror of it.

    Args:
        root: the master's directory.
    """

    def __init__(self, repo: Repo, root: Path) -> None:
        self.root = root
        if not repo.source:
            raise ConfigError(
                "there is no repository to read tags from",
                repo=repo.name,
                path=f"repo_config:{repo.name}:source",
                next="set source (a path or a URL) or upstream",
            )
        self._repo = repo
        self._mirrors = root / "mirrors"
        self._remote = bool(_URL.match(repo.source))
        if self._remote:
            self.repository = Repository(self._mirrors / f"{file_name(repo.name)}.git")
        else:
            self.repository = Repository(_git_dir(repo))
        self._resolved = False
        self._followed: set[str] = set()

    @property
    def work_tree(self) -> Path | None:
        """The staging tree that the repository belongs to; None where it has none on this host."""
        if self._remote:
            return None
        place, git_dir = Path(self._repo.source), self.repository.git_dir
        if (place / ".git").exists():
            return place
        return git_dir.parent if git_dir.name == ".git" else None

    @property
    def is_remote(self) -> bool:
        """Whether the repository lies elsewhere, and this host has a mirror of it."""
        return self._remote

    def tag(self, name: str) -> Tag:
        """Resolve a tag.

        Raises:
            NoSuchTag, Unavailable: see :meth:`Repository.tag` and :meth:`Repository.fetch`.
        """
        self._resolved = True
        try:
            if not self._remote:
                return self.repository.tag(name)
            # whoever makes a plan has not the lock of the repo, and would disturb a deploy in its fetch
            with flock.alone(self.repository.git_dir.with_suffix(".lock")):
                log.debug("%s: fetching tag %s from %s", self._repo.name, name, public(self._repo.source))
                self.repository.ensure()
                self.repository.recover()  # a master that was killed may have left locks
                found = self.repository.fetch_tag(self._repo.source, check_tag(name))
                if ANNEX in self._repo.blobs:
                    annex_branches.follow(self.repository, self._repo.source)
                return found
        except (NoSuchTag, Unavailable) as error:
            raise error.at(repo=self._repo.name, path=public(self._repo.source)) from None

    def tags(self) -> list[str]:
        """The names of all tags where the repository is; a mirror fetches nothing for it.

        Raises:
            Unavailable, GitFailed: it could not be read.
        """
        if not self._remote:
            return self.repository.tags()
        with flock.alone(self.repository.git_dir.with_suffix(".lock")):
            self.repository.ensure()
            try:
                return self.repository.tags(self._repo.source)
            except Unavailable as error:
                raise error.at(repo=self._repo.name, path=public(self._repo.source)) from None

    @contextlib.contextmanager
    def packer(self, commit: str, transport: str) -> Iterator[Repository]:
        """The repository to pack a release from; where its submodules travel as well, one that has fetched them.

        Raises:
            Unavailable, Corrupt: the commit of a submodule cannot be had.
        """
        if (
            not self._repo.submodules or not transports.row(transport).kinds
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
        if not self._repo.submodules:
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
        top = self._repo.source if self._remote else self.repository.setting("remote.origin.url")
        urls = Urls(top or self._repo.source, self._repo.submodule_urls)
        git_dir = self._mirrors / f"{file_name(self._repo.name)}.submodules.git"
        mirror = SubmoduleStore(git_dir, urls, beside=self.repository.git_dir)
        with flock.alone(git_dir.with_suffix(".lock")):
            mirror.ensure()
            mirror.recover()
            yield mirror


def _git_dir(repo: Repo) -> Path:
    place = Path(repo.source)
    try:
        return git_dir_at(place)
    except GitFailed as error:
        raise Unavailable(
            f"there is no git repository at this path (or this user may not read it): {error.cause}",
            repo=repo.name,
            path=str(place),
            next=f"clone it there, or correct repo_config:{repo.name}:source; git -C {place} status",
        ) from error
