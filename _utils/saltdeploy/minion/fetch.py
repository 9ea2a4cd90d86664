"""The stage ``fetch``: a release is brought to this host, and its tree is made and compared, where nobody sees it yet."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from saltdeploy import layouts, transports
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.config.layouts import refuse_contents
from saltdeploy.config.paths import refuse_on_disk
from saltdeploy.git import credentials
from saltdeploy.git.repository import git_version
from saltdeploy.lib import disk, priority
from saltdeploy.lib.errors import Corrupt, DeployError, GitFailed, Unavailable
from saltdeploy.lib.text import public
from saltdeploy.minion import assets, checks, config_files, configuration, downloads, signature, untracked
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.configuration import Configurations
from saltdeploy.minion.context import Host, Task
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import Steps
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import Order

log = logging.getLogger(__name__)


def fetch(tasks: Sequence[Task], host: Host, steps: Steps) -> list[dict[str, Any]]:
    """Bring each repo's release, and do nothing that a user sees.

    Returns:
        The facts of each.

    Raises:
        DeployError: it names the repo.
    """
    facts = []
    for task in tasks:
        try:
            facts.append(_fetch_one(task.order, task.repo, host, steps))
        except DeployError as error:
            raise error.at(repo=task.repo.name) from None
    return untracked.of_each(facts, [task.repo for task in tasks])


def _fetch_one(order: Order, repo: Repo, host: Host, steps: Steps) -> dict[str, Any]:
    """Everything that takes time, space or the network."""
    repo = downloads.booking(repo, host)
    git_version()
    refuse_on_disk(repo.name, repo.paths.location, Configurations(host.cache, repo.name).others())
    refuse_contents(repo)
    configuration.refuse_shared_left(repo, host)
    layout = layouts.of(repo)
    holdings = layout.holdings()
    is_live = holdings.live == order.release.commit and holdings.live in holdings.held
    is_live = is_live and not holdings.damaged and signature.is_sealed(order, repo, holdings)
    if order.seal is not None:
        Record(host.cache, repo.name).keep_seal(order.release, order.seal)
    if is_live and not Record(host.cache, repo.name).is_unsettled():
        return {}
    live = layout.tree(holdings.live) if holdings.live else None
    before = checks.left_by(order, holdings, unsettled=Record(host.cache, repo.name).is_unsettled())
    site = CheckSite(repo, host, order.group, None, live, order, before)
    steps.run(checks.at("before fetch", repo.hooks.checks, site))
    with priority.gentle(repo.delivery.nice):
        facts = _arrive(order, layout, holdings, repo, host, steps)
    disk.remove_tree(Record(host.cache, repo.name).partial)  # of a payload that nobody needs any more
    site = dataclasses.replace(site, tree=layout.tree(order.release.commit))
    assets.keep(repo, layout, holdings.live, order.release.commit)
    facts |= config_files.bring(repo, order.release, layout, site, as_it_was=order.as_it_was)
    known = (*repo.hooks.checks, *checks.of_release(layout, repo, order.release.commit))
    steps.run([*checks.calls(repo.hooks.fetch_calls, site), *checks.at("after fetch", known, site)])
    return {**facts, **untracked.look(repo, layout, order.release.commit)}


def _arrive(
    order: Order, layout: layouts.Layout, holdings: Holdings, repo: Repo, host: Host, steps: Steps
) -> dict[str, Any]:
    """Bring the release; once more, from nothing, where a store on this host turns out to be damaged."""
    try:
        return _bring(order, layout, holdings, repo, host, steps)
    except (Corrupt, GitFailed, Unavailable) as error:
        mended = [facts for store in (layout.store, layout.trees) if store and (facts := store.mend())]
        if not mended:
            raise
        log.info("%s is brought once more, after: %s", order.release.tag, public(str(error)))
    return summed([*mended, _bring(order, layout, holdings, repo, host, steps)])


def _bring(
    order: Order, layout: layouts.Layout, holdings: Holdings, repo: Repo, host: Host, steps: Steps
) -> dict[str, Any]:
    """Bring the release, unless it is here already, and let its tree be whole."""
    root, pinned = order.seal.root if order.seal else "", host.pinned(repo.name)
    incoming = Record(host.cache, repo.name).incoming
    disk.remove_tree(incoming)  # of a stage that was killed
    carrier = downloads.carrier(order, repo, host)
    noted = downloads.noted(order, repo, holdings, carrier, incoming)
    try:
        if order.release.commit in holdings.held:
            try:
                prepared = layout.prepare(order.release, steps.progress, None, root, pinned, noted)
                return summed([carrier.facts(), prepared, _came(prepared)])
            except Corrupt:  # its tree is damaged, and the contents are not in the store
                pass
        config_transports.refuse_unfit(
            order.transport, repo.layout.name, repo.name
        )  # it may have been chosen for once
        opened = layout.open()
        store, trees = layout.store, layout.trees
        access = credentials.access_of(repo, host.cache)
        arrival = transports.Arrival(
            repo, store, carrier, incoming, trees, layout.tree, holdings.held, access
        )
        brought = transports.of(order.transport).unpack(order, arrival, steps.progress)
        prepared = layout.prepare(order.release, steps.progress, brought.contents, root, pinned, noted)
    finally:
        disk.remove_tree(incoming)
    return summed(
        [{**opened, **brought.facts, **carrier.facts(), **prepared}, brought.beside, _came(prepared)]
    )


def _came(prepared: dict[str, Any]) -> dict[str, Any]:
    """What came for a tree besides the payload: the contents of pointers."""
    return {"bytes": prepared["blob_bytes"]} if "blob_bytes" in prepared else {}


def summed(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The facts of all repos as one: what can be counted is added up; of the rest the first word stands, or each one's."""
    total: dict[str, Any] = {}
    for each in facts:
        for key, value in each.items():
            if isinstance(value, int) and not isinstance(value, bool):
                total[key] = total.get(key, 0) + value
            elif key in _OF_EACH and key in total:
                total[key] += f"; {value}"
            else:
                total.setdefault(key, value)
    return total


_OF_EACH = ("untracked",)
