"""How repos stand, as numbers: what metrics show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from saltdeploy.lib.errors import DeployError
from saltdeploy.master.cache import Store
from saltdeploy.master.locking.locks import Locks
from saltdeploy.master.locking.model import GLOBAL, scope_of
from saltdeploy.watch.signals.metrics import Standing
from saltdeploy.web.overview import overview


def of_all(repos: Iterable[str], root: Path, store: Store) -> list[Standing]:
    """Each repo that can be read; no host is asked.

    Args:
        repos: their names.
        root: the master's directory for deploys.
        store: where histories lie.
    """
    locked = _locked(root, store)
    found = []
    for facts in overview(repos, root, store)["repos"]:
        if "error" not in facts:
            pin = facts["pinned"] or {"tag": "", "commit": ""}
            hosts = Counter(host["state"] for host in facts["hosts"].values())
            is_locked = GLOBAL in locked or scope_of(facts["repo"]) in locked
            found.append(Standing(facts["repo"], pin["tag"], pin["commit"], is_locked, dict(hosts)))
    return found


def _locked(root: Path, store: Store) -> set[str]:
    try:
        return {lock.scope for lock in Locks(root, store).all()}
    except DeployError:  # a file of locks is damaged: `deploy.locks` says so
        return set()
