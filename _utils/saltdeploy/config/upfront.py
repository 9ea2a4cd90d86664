"""What a process loads before it begins, and which processes have to load all at once.

A command (``salt-run``, ``salt-call``) loads what it uses. A daemon of Salt loads all as soon as it loads a door: a sync may
replace the package under it, and what it would load later would be refused (see ``saltdeploy/__init__.py``). For the same
reason whoever begins something long loads all that this can need before it does anything.
"""

from __future__ import annotations

import importlib

from saltdeploy.config import check_kinds, pointers, transports

#: What a pillar can need that says more than most do.
_CONFIG = (
    "config.config_files",
    "config.environments",
    "config.maintenance",
    "config.once",
    "config.purpose",
    "config.signal_kinds",
    "git.ssh_access",
)
#: What a deploy can need, from its plan to its end.
DEPLOY = (
    *_CONFIG,
    "git.deriving",
    "master.rollout.steps",
    "master.deploy",
    "master.reports.results",
    "protocol.host_lines",
    "staging.schemes",
)
#: What the runner can need besides, whatever it is asked for.
RUNNER = (
    *DEPLOY,
    "master.running.background",
    "master.upkeep.adopt",
    "master.upkeep.beginning",
    "master.doctor",
    "master.reports.changes",
    "master.records.forgotten",
    "master.upkeep.gc",
    "master.upkeep.preseed",
    "master.planning.preview",
    "master.planning.promotion",
    "master.upkeep.servicing",
    "master.planning.staged",
    "master.planning.way_back_offers",
    "master.fleet.suspended",
    "watch.console.choose",
    "master.reports.releases",
    "master.roles.check",
    "master.roles.handed",
    "master.roles.remembered",
    "master.planning.unreleased",
    "master.reports.verification",
    "master.staging.stage",
    "protocol.exports",
    "staging.next_tag",
    "master.running.steering",
    "watch.console.log_lines",
    "watch.console.terminal",
    "watch.timeline",
    "watch.redis_server",
    "web.overview",
    "web.story",
)
#: What the pillar of a minion can need.
PILLAR = (
    *_CONFIG,
    "git.deriving",
    "protocol.host_lines",
    "master.upkeep.ext_pillar",
    "master.payloads.packing",
    "master.payloads.annex_urls",
    "master.payloads.source",
    "master.records.checks",
    "master.locking.locks",
)
#: What a stage can need, and whatever else a minion is asked for.
MINION = (
    *_CONFIG,
    "git.deriving",
    "minion.stages",
    "minion.preseed",
    "minion.adopt",
    "minion.gc",
    "minion.doctor",
    "minion.by_hand",
    "minion.own_orders",
    "minion.masters_word",
    "download.salt",
    "download.swarm.client",
    "lib.arguments",
)


def load(modules: tuple[str, ...]) -> None:
    """Load modules with all that they import, every transport, every kind of check and of pointers.

    Args:
        modules: :data:`DEPLOY`, :data:`RUNNER`, :data:`PILLAR` or :data:`MINION`.

    Raises:
        PackageReplaced: the package was replaced since this process began to load it.
    """
    places = [row.does for row in transports.TABLE.built_in.values()]
    places += [kind.run for kind in check_kinds.TABLE.built_in.values()]
    places += [kind.read for kind in pointers.TABLE.built_in.values()]
    for name in (
        *(f"saltdeploy.{module}" for module in modules),
        *(each.partition(":")[0] for each in places),
    ):
        importlib.import_module(name)
