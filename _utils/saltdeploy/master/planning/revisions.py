"""A release that is asked for by a commit or a branch: which commit that is, and by which tag history knows it.

The source is asked once for each deploy. What has no name yet gets one from :mod:`saltdeploy.master.planning.naming`.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from saltdeploy.config import Repo
from saltdeploy.git.histories import HEADS, TAGS, Histories, near
from saltdeploy.git.repository import Tag
from saltdeploy.lib.errors import BadName, DeployError, NoSuchRevision
from saltdeploy.lib.spelling import argument
from saltdeploy.lib.text import public
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.plan_model import Request
from saltdeploy.master.records.history import History
from saltdeploy.staging.next_tag import next_tag

_MOST_TRIES = 1000
_SHORT = 12  # digits of a commit's id that are enough for one command


@dataclass(frozen=True)
class Untagged:
    """A commit that gets a tag when it is deployed.

    Attributes:
        commit: in full.
        ref: a branch or tag of the source whose history has it.
        taken: the tags that the source had when it was asked.
    """

    commit: str
    ref: str
    taken: frozenset[str]


def find(
    request: Request, source: Source, repo: Repo, history: History, now: float
) -> tuple[Tag, Untagged | None]:
    """The commit that a request means, under the tag by which it is known, or else the one that it would get.

    Args:
        now: seconds since the epoch.

    Raises:
        NoSuchRevision: the source has no such branch or commit, or more than one.
        Unavailable: the source cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if source.is_remote:
            stack.enter_context(source.alone())
        try:
            refs = source.histories().refs(source.place if source.is_remote else "")
            commit, ref = _by_branch(request, refs, repo) if request.branch else _by_id(request, refs, source)
            if source.is_remote:
                source.bring_commit(commit, ref)
        except DeployError as error:
            raise error.at(repo=repo.name, path=public(source.place)) from None
    known = _known(commit, refs, source, repo, history)
    if known is not None:
        return known, None
    taken = frozenset(each.removeprefix(TAGS) for each in refs if each.startswith(TAGS))
    untagged = Untagged(commit, ref, taken)
    made = [ref.removeprefix(TAGS) for ref in source.made_tags()]
    return Tag(free_name(repo, untagged, made, history, now), commit, commit), untagged


def free_name(repo: Repo, untagged: Untagged, made: Collection[str], history: History, now: float) -> str:
    """The tag that comes next by the repo's scheme: neither the source nor the mirror has it, nor does history.

    Args:
        made: the tags of the mirror.
        now: seconds since the epoch.

    Raises:
        BadName: the scheme gives none.
    """
    taken = {*untagged.taken, *made}
    when = datetime.fromtimestamp(now, timezone.utc).astimezone()
    for _ in range(_MOST_TRIES):
        name = next_tag(repo.name, taken, repo.staging.tag_scheme, "", when)
        if name in taken:
            break
        if history.commit_of(repo.name, name) in ("", untagged.commit):
            return name
        taken.add(name)  # it was deployed, and its tag is gone
    raise BadName(
        f"the scheme {repo.staging.tag_scheme} gives no tag that is free; the last one was {name}",
        repo=repo.name,
        next=f"make a tag by hand, and deploy that: git tag -a -m NAME NAME {untagged.commit[:_SHORT]}",
    )


def _known(commit: str, refs: Mapping[str, str], source: Source, repo: Repo, history: History) -> Tag | None:
    """The tag that was made here for the commit before: what has a name keeps it."""
    for ref, meant in sorted(source.made_tags().items()):
        name = ref.removeprefix(TAGS)
        if (
            meant == commit
            and refs.get(ref, commit) == commit
            and source.origin_of(history.commit_of(repo.name, name)) in ("", commit)
        ):
            return source.mirror.tag(name)
    return None


def _by_branch(request: Request, refs: dict[str, str], repo: Repo) -> tuple[str, str]:
    branch, command = request.branch, f"salt-run deploy.{request.action} {argument('repo', repo.name)}"
    ref, tag = f"{HEADS}{branch}", f"{TAGS}{branch}"
    if ref not in refs:
        close = near(branch, refs, HEADS)
        if tag in refs:
            raise NoSuchRevision(
                f"there is no branch {branch}: it is a tag", next=f"{command} {argument('tag', branch)}"
            )
        hint = f"did you mean {' or '.join(close)}? {command} {argument('branch', close[0])}"
        raise NoSuchRevision(
            f"there is no branch {branch}",
            next=hint if close else f"git push it, then {command} {argument('branch', branch)}",
        )
    if tag in refs:
        raise NoSuchRevision(
            f"{branch} is a branch, of commit {refs[ref]}, and also a tag, of commit {refs[tag]}",
            next=f"{command} {argument('tag', branch)}; or the branch: {command} {argument('commit', refs[ref])}",
        )
    return refs[ref], ref


def _by_id(request: Request, refs: dict[str, str], source: Source) -> tuple[str, str]:
    tip = next((ref for ref, commit in refs.items() if commit == request.commit.lower()), "")
    if tip:
        return request.commit.lower(), tip
    histories = source.histories()
    if source.is_remote:
        histories.bring(source.place, refs)
    commit = _commit_in(histories, request, source)
    ref = histories.reaching(commit)
    if not ref:
        raise NoSuchRevision(
            f"no branch and no tag of the source reaches a commit {commit}",
            next=f"{_git(source)} branch NAME {commit[:_SHORT]}, then {request.command}",
        )
    return commit, ref


def _commit_in(histories: Histories, request: Request, source: Source) -> str:
    try:
        return histories.commit_by_id(request.commit)
    except NoSuchRevision as error:
        command = f"salt-run deploy.{request.action} {argument('repo', request.repo)}"
        if error.next:
            error.next = "; or ".join(f"{command} {each}" for each in error.next.split("; or "))
        else:
            bring = "push a branch or a tag that has it" if source.is_remote else "see to it that it is there"
            known = f"; what is there: {_git(source)} log --oneline --all" if not source.is_remote else ""
            error.next = f"{bring}, then run the same command again{known}"
        raise


def _git(source: Source) -> str:
    if source.is_remote:
        return "in a clone, and then git push: git"
    return f"git --git-dir={shlex.quote(str(source.repository.git_dir))}"
