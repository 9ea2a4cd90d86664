"""Whether what a pillar tells of pins is the master's word of now, or one of before that some cache repeats.

A host that was away cannot tell an old pin from the newest by its epoch: both are newer than all that it has heard. So
it asks with a word of its own, which the ext_pillar says again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saltdeploy.lib.errors import Fenced, NoSuchTag, Unavailable
from saltdeploy.lib.wire_errors import from_wire
from saltdeploy.protocol.pillar import ECHO, EPOCH, RUNS, TAKEN


def refuse_old(told: Mapping[str, Any], word: str, host: str) -> None:
    """Refuse what does not answer this question.

    Args:
        told: what the pillar says under ``deploy``.
        word: with which the master was asked.

    Raises:
        Unavailable: it is from a cache, or the master tells no pins at all.
    """
    if told.get(ECHO) == word:
        return
    if not told:
        raise Unavailable(
            "the master tells no pins: its configuration has no ext_pillar deploy_pins, or that one failed",
            host=host,
            next=f"salt-run config.get ext_pillar; salt-run pillar.show_pillar {host}",
        )
    raise Unavailable(
        "what the master tells of pins is of an earlier time (by pillar_cache, or by an older ext_pillar deploy_pins)",
        host=host,
        next=f"salt-run saltutil.sync_all; salt-run cache.flush pillar {host}; salt {host} deploy.sync_all",
    )


def pin_of(
    told: Mapping[str, Any], repo: str, seen: int, own: Mapping[str, Any], *, without_tag: int, advice: str
) -> Mapping[str, Any]:
    """The pin of a repo as the master tells it now.

    Args:
        told: what the pillar says under ``deploy``, of now.
        seen: the newest epoch that this host has seen.
        own: what a deploy has brought to this host; it counts while that deploy goes on.
        without_tag, advice: the status number and the next command where nothing is pinned.

    Raises:
        DeployError: the master cannot tell; nothing is pinned for this host; or what is pinned is older than what this
            host has seen, and no deploy goes on that will pin something: one has died, or the master's own files are older.
    """
    if why := told.get("unknown", {}).get(repo):
        raise from_wire(why)
    pin: Mapping[str, Any] = told.get("pins", {}).get(repo, {})
    if not pin:
        cause = "the master has pinned no release of this repo for this minion"
        raise NoSuchTag(cause, repo=repo, status=without_tag, next=advice)
    epoch = pin["order"]["epoch"]
    if epoch >= seen:
        return pin
    if _is_under_way(told, repo, seen):
        return own if own and own["order"]["epoch"] > epoch else pin
    raise Fenced(
        f"the master tells the pin of epoch {epoch} ({pin['tag']}), and this host has seen epoch {seen}: a deploy has died, "
        "or the master's cache is from an older copy",
        repo=repo,
        next=f"salt-run deploy.report repo={repo}",
    )


def left_alone(told: Mapping[str, Any], repo: str, seen: int, live: str) -> str:
    """Why this host has nothing to do for a repo, and is right all the same; "" where it has.

    Args:
        told: what the pillar says under ``deploy``, of now.
        seen: the newest epoch that this host has seen.
        live: the commit that it runs; "" when it runs none.
    """
    pin = told.get("pins", {}).get(repo)
    if repo in told.get("unknown", {}) or (pin and pin["order"]["epoch"] >= seen):
        return ""
    if _is_under_way(told, repo, seen):
        return "a deploy is under way: it brings this host to its release"
    forgotten = _taken(told, repo).get(EPOCH, 0) < seen
    return "" if pin or live or forgotten else "nothing is pinned yet, and nothing is here"


def repos_of(told: Mapping[str, Any]) -> set[str]:
    """The repos that this host takes, as the master tells it: with a pin, without one, or with one that is not known."""
    return {*told.get("pins", {}), *told.get("unknown", {}), *told.get(TAKEN, {})}


def _is_under_way(told: Mapping[str, Any], repo: str, seen: int) -> bool:
    """Whether a deploy runs that this host may have heard of; another master's copy of the past does not know of it."""
    taken = _taken(told, repo)
    return bool(taken.get(RUNS)) and taken.get(EPOCH, 0) >= seen


def _taken(told: Mapping[str, Any], repo: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = told.get(TAKEN, {}).get(repo, {})
    return found
