"""Whether what a pillar tells of pins is the master's word of now, or one of before that some cache repeats.

A host that was away cannot tell an old pin from the newest by its epoch: both are newer than all that it has heard. So
it asks with a word of its own, which the ext_pillar says again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saltdeploy.lib.errors import Fenced, NoSuchTag, Unavailable, from_wire
from saltdeploy.protocol.pillar import ECHO, UNPINNED


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


def pin_of(told: Mapping[str, Any], repo: str, seen: int, *, without_tag: int, advice: str) -> dict[str, Any]:
    """The pin of a repo as the master tells it now.

    Args:
        told: what the pillar says under ``deploy``, of now.
        seen: the newest epoch that this host has seen.
        without_tag, advice: the status number and the next command where nothing is pinned.

    Raises:
        DeployError: the master cannot tell; nothing is pinned for this host; or what is pinned is older than what this
            host has seen: a deploy goes on, or the master's own files are older.
    """
    if why := told.get("unknown", {}).get(repo):
        raise from_wire(why)
    pin: dict[str, Any] = told.get("pins", {}).get(repo, {})
    if not pin:
        cause = "the master has pinned no release of this repo for this minion"
        raise NoSuchTag(cause, repo=repo, status=without_tag, next=advice)
    if pin["order"]["epoch"] < seen:
        raise Fenced(
            f"the master tells the pin of epoch {pin['order']['epoch']} ({pin['tag']}), and this host has seen epoch "
            f"{seen}: a deploy goes on or has died, or the master's cache is from an older copy",
            repo=repo,
            next=f"salt-run deploy.report repo={repo}",
        )
    return pin


def repos_of(told: Mapping[str, Any]) -> set[str]:
    """The repos that this host takes, as the master tells it: with a pin, without one, or with one that is not known."""
    return {*told.get("pins", {}), *told.get("unknown", {}), *told.get(UNPINNED, ())}
