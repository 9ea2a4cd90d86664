"""What needs attention, repo by repo: what is pinned, what is under way, how the last deploys ended, what hosts held last."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saltdeploy.lib.errors import DeployError
from saltdeploy.master.cache import Store
from saltdeploy.master.fleet.suspended import Suspensions
from saltdeploy.master.locking.locks import is_held
from saltdeploy.master.records.history import history_of
from saltdeploy.master.records.pins import Pins
from saltdeploy.master.running.unfinished import unfinished
from saltdeploy.protocol.holdings import Holdings

RECENT = 20  # deploys that are told of each repo


def overview(repos: Iterable[str], root: Path, store: Store) -> dict[str, Any]:
    """The view ``overview``.

    A repo that cannot be read has an ``error`` in place of its facts; the others are told all the same.

    Args:
        repos: their names.
        root: the master's directory for deploys.
        store: where histories lie.
    """
    return {"view": "overview", "retcode": 0, "repos": [_told(repo, root, store) for repo in repos]}


def _told(repo: str, root: Path, store: Store) -> dict[str, Any]:
    try:
        return {"repo": repo, **_facts(repo, root, store)}
    except DeployError as error:
        return {"repo": repo, "error": error.at(repo=repo).to_wire()}


def _facts(repo: str, root: Path, store: Store) -> dict[str, Any]:
    versions = history_of(repo, root, store, running=is_held(root, repo)).versions(repo)
    under_way = unfinished(repo, root, versions)
    pin = Pins(root).get(repo)
    apart = [each.to_wire() for each in Suspensions(root).at(time.time(), repo).values()]
    return {
        "pinned": {"tag": pin.release.tag, "commit": pin.release.commit} if pin else None,
        "unfinished": under_way.to_wire() if under_way else None,
        "versions": versions[:RECENT],
        "hosts": _hosts(repo, root),
        **({"suspended": apart} if apart else {}),
    }


def _hosts(repo: str, root: Path) -> dict[str, dict[str, Any]]:
    """Each host's release and state as it told them last, and when; hosts of a pin that never told anything are ``unheard``."""
    pins = Pins(root)
    seen, pin = pins.seen(repo), pins.get(repo)
    names = sorted({*seen, *(pin.hosts if pin else ())})
    own = pins.of_hosts(repo, names)
    found = {}
    for name in names:
        held = Holdings.from_wire(seen[name]["holdings"]) if name in seen else None
        wanted = own[name]
        state = _state(held, wanted.release.commit if wanted else "")
        tag = held.tags.get(held.live, "") if held else ""
        found[name] = {
            "state": state,
            "live": held.live if held else "",
            "tag": tag,
            "seen": seen[name]["time"] if name in seen else None,
        }
    return found


def _state(held: Holdings | None, wanted: str) -> str:
    if held is None:
        return "unheard"
    if held.damaged:
        return "damaged"
    if held.unsettled:
        return "unsettled"
    return "pinned" if held.live and held.live == wanted else "behind"
