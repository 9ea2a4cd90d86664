"""Gives a commit that is deployed without a tag its tag, on the master's mirror, when all guards have let it pass."""

from __future__ import annotations

import dataclasses
import logging
import socket

from saltdeploy.lib.text import public
from saltdeploy.master.planning import revisions
from saltdeploy.master.planning.plan import Draft
from saltdeploy.master.planning.resolve import ResolvedRepo
from saltdeploy.protocol.release import Release
from saltdeploy.staging.tagging import TagText, make_tag

log = logging.getLogger(__name__)


def named(draft: Draft, deploy: str) -> Draft:
    """The same, in which each release has its tag: a tag is made where there is none.

    Args:
        deploy: the id of the deploy.

    Raises:
        Unavailable: the mirror cannot get the commit.
        GitFailed, BadName: no tag can be made.
    """
    if all(one.untagged is None for one in draft.repos):
        return draft
    return dataclasses.replace(draft, repos=tuple(_named(one, deploy) for one in draft.repos))


def _named(one: ResolvedRepo, deploy: str) -> ResolvedRepo:
    untagged, source, now = one.untagged, one.source, one.master.bus.now()
    if untagged is None or source is None:
        return one
    with source.alone():
        source.bring_commit(untagged.commit, untagged.ref)
        tag = make_tag(
            source.mirror,
            untagged.commit,
            lambda made: revisions.free_name(one.repo, untagged, made, one.history, now),
            _text(one, deploy, now),
        )
    log.info("deploy %s: %s of %s is tagged %s", deploy, one.request.revision, one.repo.name, tag.name)
    tag = source.release(tag)
    release = Release(one.repo.name, tag.name, tag.commit)
    return dataclasses.replace(one, tag=tag, release=release, untagged=None)


def _text(one: ResolvedRepo, deploy: str, now: float) -> TagText:
    """Who, why, from where, and what was there before."""
    assert one.source is not None
    before = one.pin.release if one.pin else None
    facts = {
        "repo": one.repo.name,
        "from": f"{one.request.revision} of {public(one.source.place)}",
        "by": one.master.user,
        "reason": one.request.reason,
        "previous": f"{before.tag} ({before.commit})" if before else "",
        "deploy": deploy,
    }
    return TagText(one.master.user, socket.gethostname(), now, facts)
