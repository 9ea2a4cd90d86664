"""Goes through the table, and makes the view ``doctor`` of what it finds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from saltdeploy import config
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.doctor.ask import ask
from saltdeploy.master.doctor.seen import Finding, MasterSettings, Seen
from saltdeploy.master.doctor.table import CHECKS

log = logging.getLogger(__name__)


def examine(
    repo: str,
    settings: MasterSettings,
    pillar: Callable[[], dict[str, Any]],
    site: Callable[[], str],
    open_master: Callable[[], AbstractContextManager[Master]],
) -> dict[str, Any]:
    """Look through everything.

    Args:
        repo: name of the repo; "" for all of them.
        settings: the master's own configuration.
        pillar, site: see :func:`saltdeploy.config.load`; the first raises where the pillar does not render.
        open_master: Salt's world; raises where the master does not answer.
    """
    seen = _configured(Seen(settings, repo), pillar, site)
    try:
        with open_master() as master:
            targets = {
                each.name: tuple(master.targets(each.targets, each.targets_type)) for each in seen.repos
            }
            answers = ask(master, targets)
            return _view(replace(seen, master=master, targets=targets, answers=answers))
    except DeployError as error:
        return _view(replace(seen, bus_error=error))


def _configured(seen: Seen, pillar: Callable[[], dict[str, Any]], site: Callable[[], str]) -> Seen:
    try:
        found = pillar()
    except DeployError as error:
        return replace(seen, pillar_error=error)
    where = site()
    repos, broken = [], {}
    for name in config.repo_names(found):
        if seen.wanted in ("", name):
            try:
                repos.append(config.load(found, name, where))
            except DeployError as error:
                broken[name] = error
    return replace(seen, pillar=found, site=where, repos=tuple(repos), broken=broken)


def findings(seen: Seen) -> list[tuple[str, Finding]]:
    """What is wrong, by the check that found it; each thing once."""
    found: dict[tuple[str, Finding], None] = {}
    failed: set[str] = set()
    for check in CHECKS:
        if failed.intersection(check.unless):
            continue
        for each in check.find(seen):
            log.debug("check %r found: %s", check.name, each)
            failed.add(check.name)
            found.setdefault((check.name, each))
    return list(found)


def _view(seen: Seen) -> dict[str, Any]:
    found = findings(seen)
    return {
        "view": "doctor",
        "retcode": 1 if found else 0,
        "repo": seen.wanted,
        "repos": [*(repo.name for repo in seen.repos), *seen.broken],
        "checks": len(CHECKS),
        "hosts": sorted({each.host for each in seen.answers}),
        "findings": [
            {
                "check": name,
                "host": each.host or seen.settings.id,
                "on_master": not each.host,
                "repo": each.repo,
                "cause": each.cause,
                "next": each.next,
            }
            for name, each in found
        ],
    }
