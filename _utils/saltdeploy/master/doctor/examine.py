"""Goes through the table, and makes the view ``doctor`` of what it finds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any

from saltdeploy import config
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.context import Master
from saltdeploy.master.doctor.ask import ask
from saltdeploy.master.doctor.seen import Finding, MasterSettings, Seen
from saltdeploy.master.doctor.table import CHECKS
from saltdeploy.master.fleet.ssh.advice import SshAdvice

log = logging.getLogger(__name__)

OK, WRONG, UNKNOWN = "ok", "wrong", "cannot say"


@dataclass(frozen=True)
class Judged:
    """What came of one check.

    Attributes:
        name: of the check.
        state: :data:`OK`, :data:`WRONG` or :data:`UNKNOWN`.
        reason: why it cannot be told.
        findings: what is wrong, each thing once.
    """

    name: str
    state: str
    reason: str = ""
    findings: tuple[Finding, ...] = ()


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
    if not settings.has_bus:
        return _view(replace(seen, bus_error=DeployError("there is no socket of its event bus")))
    with ExitStack() as world:
        try:  # around nothing else: an error of a check says nothing about the bus
            master = world.enter_context(open_master())
        except DeployError as error:
            return _view(replace(seen, bus_error=error))
        except OSError:  # the master's directory, which has a check of its own
            return _view(seen)
        targets = {
            each.name: tuple(master.targets(each.targets.expression, each.targets.type))
            for each in seen.repos
        }
        return _view(replace(seen, master=master, targets=targets, answers=ask(master, targets)))


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


def judge(seen: Seen) -> list[Judged]:
    """What comes of each check, in their order."""
    judged: list[Judged] = []
    wrong: set[str] = set()
    for check in CHECKS:
        explained = [name for name in check.unless if name in wrong]
        if reason := check.needs(seen) or (f"first: {explained[0]}" if explained else ""):
            judged.append(Judged(check.name, UNKNOWN, reason))
            continue
        try:
            found = tuple(dict.fromkeys(check.find(seen)))
        except OSError as error:  # a disk that is read-only or full, which has a check of its own
            judged.append(Judged(check.name, UNKNOWN, str(error)))
            continue
        log.debug("check %r found: %s", check.name, found)
        if found:
            wrong.add(check.name)
        judged.append(Judged(check.name, WRONG if found else OK, findings=found))
    return judged


def _view(seen: Seen) -> dict[str, Any]:
    judged = judge(seen)
    advice = SshAdvice(seen.master.over_ssh if seen.master else ())
    return {
        "view": "doctor",
        "retcode": 1 if any(each.state == WRONG for each in judged) else 0,
        "repo": seen.wanted,
        "repos": [*(repo.name for repo in seen.repos), *seen.broken],
        "hosts": sorted({each.host for each in seen.answers}),
        "checks": [{"name": each.name, "state": each.state, "reason": each.reason} for each in judged],
        "findings": [
            {
                "check": each.name,
                "host": found.host or seen.settings.id,
                "on_master": not found.host,
                "repo": found.repo,
                "cause": found.cause,
                "by_hand": found.by_hand,
                "next": advice.of(found.next, found.host, found.repo),
            }
            for each in judged
            for found in each.findings
        ],
    }
