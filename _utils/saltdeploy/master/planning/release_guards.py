"""What is refused of a release by itself: a moved tag, a bad release, a missing signature, a flawed tree,
a forgotten submodule."""

from __future__ import annotations

import os
import shlex

from saltdeploy.config import Repo
from saltdeploy.git import flaws, shield
from saltdeploy.git.reader import Reader
from saltdeploy.git.repository import Tag
from saltdeploy.git.work_tree import checked_out
from saltdeploy.lib.errors import BadRelease, Corrupt, MovedTag, NotAsRecorded, Unsigned
from saltdeploy.lib.text import public
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.records.history import History
from saltdeploy.protocol.release import Release


def refuse_moved(release: Release, history: History, source: Source) -> None:
    """Compare a freshly resolved release with what its tag meant when it was deployed.

    What was made of the same commit in another way is another release of the same tag, and is not moved.

    Raises:
        MovedTag: naming both commits.
    """
    meant = history.commit_of(release.repo, release.tag)
    if not meant or meant == release.commit:
        return
    before, now = source.origin_of(meant), source.origin_of(release.commit)
    if before != now:
        raise MovedTag(
            f"tag {release.tag} was deployed as commit {before} and now means {now}",
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
            next=f"deploy a tag that mends it; or, if {release.tag} was not to blame: force=bad_release",
        )


def refuse_unsigned(repo: Repo, source: Source, tag: Tag) -> None:
    """Refuse a tag without a signature that git accepts, where the pillar requires one.

    Raises:
        Unsigned: git cannot verify the tag's signature.
    """
    if not repo.trust.require_signed:
        return
    try:
        source.repository.verify(tag.as_made)
    except Unsigned as error:
        raise error.at(repo=repo.name) from None


def refuse_flawed(repo: Repo, source: Source, tag: Tag, before: str) -> None:
    """Refuse a release with a tree that git calls an error or that no host can write, or that is not there as a whole.

    Args:
        before: the commit that is pinned; "" when none is. What is as it was there is not looked at.

    Raises:
        Corrupt: with the path, as the first of those that are wrong.
    """
    repository = source.repository
    if before == tag.commit:
        return
    before = before if before and repository.has(before) else ""
    flaw = next(flaws.find(repository, tag.commit, before), None)
    if flaw is None:
        return
    git = f"git --git-dir={shlex.quote(str(repository.git_dir))}"
    look = (
        f"{git} rev-list --objects --missing=print --max-count=1 {tag.commit}"
        if flaw.is_missing
        else f"{git} fsck"
    )
    mend = (
        "fetch from a complete clone"
        if flaw.is_missing
        else "correct the path in a new commit, and make a new tag"
    )
    origin = _filtered_from(repository) if flaw.is_missing else ""
    if origin:
        raise Corrupt(
            f"{tag.name} cannot be deployed: the source is a partial clone (git clone --filter), and {flaw.why}",
            repo=repo.name,
            path=os.fsdecode(flaw.path) or "/",
            next=f"git clone --mirror {shlex.quote(origin)} PLACE, and name PLACE in repo_config:{repo.name}:source",
        )
    raise Corrupt(
        f"{tag.name} cannot be deployed: {flaw.why}",
        repo=repo.name,
        path=os.fsdecode(flaw.path) or "/",
        next=f"{look} tells more; {mend}, then deploy again",
    )


def _filtered_from(repository: Reader) -> str:
    """Where a partial clone was cloned from, without passwords; "" where it is none."""
    name = shield.setting(repository.git_dir, "extensions.partialclone") or "origin"
    is_partial = any(
        shield.setting(repository.git_dir, f"remote.{name}.{key}")
        for key in ("promisor", "partialclonefilter")
    )
    return public(shield.setting(repository.git_dir, f"remote.{name}.url")) if is_partial else ""


def refuse_forgotten_update(repo: Repo, source: Source, tag: Tag) -> None:
    """Whoever tried out a staging tree that has other submodules than its commit records has tried another release.

    A submodule that was never checked out there has misled nobody; an older tag says nothing of the tree as it is now.

    Raises:
        NotAsRecorded: the tree that was tagged has another commit of a submodule checked out than the tag records.
    """
    place = source.work_tree
    if not repo.contents.submodules or place is None or checked_out(place) != tag.as_made.commit:
        return
    for path, recorded in source.repository.submodules(tag.commit).items():
        there = place / repo.contents.derivation.subdirectory / os.fsdecode(path)
        found = checked_out(there) if (there / ".git").exists() else recorded
        if found != recorded:
            raise NotAsRecorded(
                f"{tag.name} records commit {recorded} of this submodule, and {found or 'none'} is checked out here",
                repo=repo.name,
                path=str(there),
                next=f"git -C {place} submodule update --init --recursive; or, if what is checked out was meant: commit "
                "it and make a new tag; or, if the tag is right: force=submodules",
            )
