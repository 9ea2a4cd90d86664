"""Frees what this host keeps and nobody needs any more: releases, payloads, what was on its way.

Nothing of a repo is touched while a stage of it runs here: such a repo is left out, with the reason.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.content.payloads import Payloads, alias
from saltdeploy.layouts import remains
from saltdeploy.lib import flock
from saltdeploy.lib.cleanup import Cleanup, left_out
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.minion import downloads
from saltdeploy.minion.configuration import left_behind
from saltdeploy.minion.context import Host
from saltdeploy.minion.record import Record
from saltdeploy.protocol.release import file_name
from saltdeploy.protocol.result import Result

_EVERYTHING_READ: Mapping[str, str] = {}
_BUSY = "a stage of it runs here"
_JUST_USED = 86_400.0  # seconds; somebody may be about to deploy what was brought ahead


def collect(
    repos: Sequence[Repo],
    host: Host,
    *,
    whole: bool,
    wanted: Collection[str] | None = None,
    test: bool = False,
    unreadable: Mapping[str, str] = _EVERYTHING_READ,
) -> Result:
    """Free what can be freed.

    Args:
        repos: whose.
        whole: these are all that this host is told of: payloads, which belong to all, are looked at as well.
        wanted: aliases of the payloads that the master still has; None where it was not asked: all stay for longer then.
        test: change nothing; only say what would be freed.
        unreadable: repos of the pillar that cannot be read, and why.

    Returns:
        Facts: ``freed`` bytes, and bytes for each kind; ``skipped``: repos that were left out, and why; ``left_behind``:
        where a repo was live before its location was moved, which stays.
    """
    sweep, skipped = Cleanup(test=test), dict(unreadable)
    with contextlib.ExitStack() as held:
        for repo in sorted(repos, key=lambda repo: repo.name):  # in the order of the stages: see there
            why = _collect_repo(repo, host, sweep, held)
            if why:
                skipped[repo.name] = why
        if whole and not skipped:
            _collect_payloads(repos, host, sweep, wanted)
    left = "; ".join(filter(None, (left_behind(repo, host) for repo in repos)))
    facts = {**_facts(sweep, skipped), **({"left_behind": left} if left else {})}
    return Result(host.name, "" if whole else repos[0].name, facts=facts)


def _collect_repo(repo: Repo, host: Host, sweep: Cleanup, held: contextlib.ExitStack) -> str:
    """Free what is one repo's, and hold its locks from then on; or say why not."""
    record = Record(host.cache, repo.name)
    if not repo.paths.area.exists() and not record.lock.parent.exists():  # it is none of this host's
        return ""
    for lock in (record.lock, record.preseeding):
        if not held.enter_context(flock.locked(lock, wait=False)):
            return _BUSY
    needed = {*host.pinned(repo.name), record.fetched()} - {""}
    incoming = downloads.place(repo, host) / f".incoming.{file_name(repo.name)}"
    try:
        layout = layouts.of(repo)
        layout.collect(sweep, needed)
        sweep.drop("incoming", record.incoming, record.partial, incoming)
        # before its first release the other layout's are all that there is
        used = remains.collect(repo, sweep) if layout.holdings().live else []
    except (DeployError, OSError, sqlite3.Error) as error:
        return str(from_os(error) if isinstance(error, OSError) else error)
    return "; ".join(used)


def _collect_payloads(
    repos: Sequence[Repo], host: Host, sweep: Cleanup, wanted: Collection[str] | None
) -> None:
    older_than = host.clock() - (downloads.KEPT if wanted is None else _JUST_USED)
    for place in sorted({downloads.place(repo, host) for repo in repos}):
        kept = Payloads(place)
        keep = {name for name in kept.names() if alias(name) in (wanted or ())}
        kept.collect(keep, older_than, sweep)


def _facts(sweep: Cleanup, skipped: Mapping[str, str]) -> dict[str, Any]:
    freed = sweep.freed()
    facts: dict[str, Any] = {"freed": sum(freed.values()), **freed}
    if skipped:
        facts["skipped"] = left_out(skipped)
    return facts
