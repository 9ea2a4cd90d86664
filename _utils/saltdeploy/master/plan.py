"""What a deploy is about: which release, for whom, and which payloads that needs."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saltdeploy import swarms, transports
from saltdeploy.blobs import urls
from saltdeploy.config import Repo, load
from saltdeploy.errors import (
    BadRelease,
    ConfigError,
    Corrupt,
    GitFailed,
    MovedTag,
    NoSuchTag,
    NoTargets,
    Unavailable,
)
from saltdeploy.gitreader import Reader, git_dir_at
from saltdeploy.holdings import Holdings
from saltdeploy.master import annexes, flock
from saltdeploy.master.history import History
from saltdeploy.master.pin import Pin
from saltdeploy.orders import Order, Payload
from saltdeploy.origins import ANNEX
from saltdeploy.payloads import Payloads
from saltdeploy.release import Release, check_tag, file_name
from saltdeploy.repository import Repository, Tag
from saltdeploy.submodules import Urls
from saltdeploy.transports import bundle
from saltdeploy.whole import Whole
from saltdeploy.wording import public

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/]+@?[^/]*:")
_MOST_PAYLOADS = 8
#: Kinds of payloads that build upon another, and not upon what a host holds.
IMAGES = ("image", "overlay")


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
                self.repository.ensure()
                self.repository.recover()  # a master that was killed may have left locks
                found = self.repository.fetch_tag(self._repo.source, check_tag(name))
                if ANNEX in self._repo.blobs:
                    annexes.follow(self.repository, self._repo.source)
                return found
        except (NoSuchTag, Unavailable) as error:
            raise error.at(repo=self._repo.name, path=public(self._repo.source)) from None

    @contextlib.contextmanager
    def packer(self, commit: str, transport: str) -> Iterator[Repository]:
        """The repository to pack a release from; where its submodules travel as well, one that has fetched them.

        Raises:
            Unavailable, Corrupt: the commit of a submodule cannot be had.
        """
        if not self._repo.submodules or transport == "git":  # with that one, targets fetch by themselves
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

    def annex(self, url: str = "") -> annexes.Annex:
        """What git-annex knows.

        Args:
            url: of a submodule's repository, which is asked what is new there once after a tag was resolved; "" for the
                repo's own, which was asked with the tag.
        """
        if not url:
            return annexes.own(self.repository)
        with self._parts() as mirror:
            if self._resolved and url not in self._followed:
                self._followed.add(url)
                annexes.follow(mirror, url, url)
            return annexes.other(Reader(mirror.git_dir), url)

    @contextlib.contextmanager
    def _whole(self, commit: str) -> Iterator[tuple[Whole, dict[bytes, str]]]:
        """The mirror that has fetched the submodules of a release, and where each of them comes from."""
        with self._parts() as mirror:
            try:
                places = mirror.bring(commit)
            except (Unavailable, Corrupt) as error:
                raise error.at(repo=self._repo.name) from None
            yield mirror, places

    @contextlib.contextmanager
    def _parts(self) -> Iterator[Whole]:
        """The mirror of submodules; nobody else uses it while the block runs."""
        top = self._repo.source if self._remote else self.repository.setting("remote.origin.url")
        urls = Urls(top or self._repo.source, self._repo.submodule_urls)
        git_dir = self._mirrors / f"{file_name(self._repo.name)}.submodules.git"
        mirror = Whole(git_dir, urls, beside=self.repository.git_dir)
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


def dependencies(pillar: dict[str, Any], repo: str, site: str) -> list[str]:
    """The repos that one needs, in the order in which they are to be deployed.

    Raises:
        ConfigError: they need each other.
    """
    found: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ConfigError(
                f"repos need each other: {' -> '.join([*above, name])}",
                repo=repo,
                path=f"repo_config:{name}:dependencies",
                next="take one of these dependencies out",
            )
        for needed in load(pillar, name, site).dependencies:
            visit(needed, (*above, name))
        if name not in found:
            found.append(name)

    visit(repo, ())
    return found[:-1]


def refuse_moved(release: Release, history: History) -> None:
    """Compare a freshly resolved release with what its tag meant when it was deployed.

    Raises:
        MovedTag: naming both commits.
    """
    meant = history.commit_of(release.repo, release.tag)
    if meant and meant != release.commit:
        raise MovedTag(
            f"tag {release.tag} was deployed as commit {meant} and now means {release.commit}",
            repo=release.repo,
            next="never move a deployed tag: make a new tag for the new commit and deploy that",
        )


def refuse_bad(release: Release, history: History, *, force: bool) -> None:
    """Refuse a release that was rolled back from.

    Raises:
        BadRelease: it was, and nobody insists.
    """
    why = history.is_bad(release.repo, release.tag, release.commit)
    if why and not force:
        raise BadRelease(
            f"{release.tag} is marked bad: {why}",
            repo=release.repo,
            next=f"deploy a tag that mends it; or, if {release.tag} was not to blame: force=True",
        )


def refuse_bad_targets(
    repo: Repo, hosts: list[str], pin: Pin | None, accepted: set[str], *, force: bool
) -> None:
    """See to it that the deploy is for the whole fleet.

    Args:
        hosts: what Salt made of the target expression.
        pin: holds the targets of the last deploy.
        accepted: all minions that the master knows.

    Raises:
        NoTargets: nobody takes the repo; or, without ``force``, somebody is missing who did in the last deploy
            and is still a minion of this master (Salt leaves out minions whose grains it has lost).
    """
    if not hosts:
        raise NoTargets(
            f"no minion matches {repo.targets!r} ({repo.targets_type})",
            repo=repo.name,
            next=f"salt '*' grains.append deployment_target {repo.name}; or set repo_config:{repo.name}:targets; "
            "after a change of grains: salt '*' saltutil.refresh_grains",
        )
    missing = sorted((set(pin.hosts) if pin else set()) & accepted - set(hosts))
    if missing and not force:
        raise NoTargets(
            f"{', '.join(missing[:5])} took part in the last deploy and no longer matches {repo.targets!r}",
            repo=repo.name,
            next=f"salt -L {','.join(missing[:5])} saltutil.refresh_grains; if it is meant so: force=True",
        )


def by(order: Order, transport: str) -> Order:
    """A fetch order for hosts that take another transport: with the payloads of this one, and with lists of URLs."""
    kinds = (*transports.of(transport).kinds, urls.KIND)
    payloads = tuple(payload for payload in order.payloads if payload.kind in kinds)
    return dataclasses.replace(order, transport=transport, payloads=payloads)


def by_swarm(wanted: str, repo: Repo) -> bool:
    """Whether the payloads of a deploy travel by swarm: as the operator wants, or as the repo does."""
    return swarms.split(wanted)[1] if wanted else repo.supply.swarm.wanted


def pack(
    order: Order, repo: Repo, source: Source, payloads: Payloads, tag: Tag, holdings: list[Holdings]
) -> tuple[Payload, ...]:
    """The payloads that bring hosts with these holdings to the order's release.

    One per distinct starting point, at most eight: whoever fits none gets the whole release.
    """
    way = transports.of(order.transport)
    with source.packer(tag.commit, order.transport) as packer:
        starts: dict[str, list[Holdings]] = {}
        for held in holdings:
            if tag.commit not in held.held:
                starts.setdefault(base_of(held, packer, sound=repo.submodules), []).append(held)
        chosen = dict(list(starts.items())[:_MOST_PAYLOADS])
        if len(starts) > len(chosen):
            chosen.setdefault("", [Holdings()])
        packed = [
            payload
            for base, those in chosen.items()
            for payload in _wanted(way.pack(payloads, packer, repo.packed_as, tag, base), those)
        ]
    return tuple(dict.fromkeys(packed))


def _wanted(packed: tuple[Payload, ...], hosts: list[Holdings]) -> list[Payload]:
    """Those of the payloads from one base that any of these hosts takes."""
    wanted = {payload for held in hosts for payload in bundle.taken(packed, held)}
    return [payload for payload in packed if payload in wanted]


def fitting(payloads: tuple[Payload, ...], base: str) -> tuple[Payload, ...]:
    """What a host needs of these that holds ``base``: of the trees and of what holds contents, what builds upon it."""
    chosen = [payload for payload in payloads if payload.kind in IMAGES]
    chosen += [each for each in payloads if each.kind == urls.KIND and each.base in ("", base)]
    others = [payload for payload in payloads if payload.kind not in (*IMAGES, urls.KIND)]
    for trees in (True, False):
        those = [payload for payload in others if (payload.kind == "trees") == trees]
        chosen += [each for each in those if each.base == base] or [each for each in those if not each.base]
    return tuple(chosen)


def base_of(held: Holdings, source: Repository, *, sound: bool) -> str:
    """The commit that a payload for a host with these holdings starts from; "" where they share none.

    Args:
        sound: only one that the host holds with all that belongs to it.
    """
    known = [c for c in (held.live, *held.held) if c and (c in held.held or not sound)]
    return next((c for c in dict.fromkeys(known) if source.has(c)), "")
