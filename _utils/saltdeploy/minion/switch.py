"""Switches a host to a release, or to one of each of several repos: one list of steps, whether forward or back.

    checks before checkout > depool > maintenance on > stop > activate > module calls > checks after checkout
    > checks before restart > restart > wait for ports > checks after restart > maintenance off > repool

With several repos each phase is done for all of them before the next: their releases are activated one right after the
other, and what several of them restart is restarted once.

The first step that fails ends the list. So a host that is not well is never put back into service, and nothing is
restarted onto a release whose files did not pass.

Between activation and restart the files are new and the processes are old. What is checked there is about files; no
verdict about the new release may be taken there, since it would be the old release that gives it. (A fleet of
web servers went down minutes after such checks had passed.) That is also why the switch and the restart are
one job: nothing on the master comes between them. ``checklist.refuse_in_the_gap`` refuses checks of this kind.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from saltdeploy import layouts
from saltdeploy.config.rollout import Restart
from saltdeploy.lib.errors import DeployError
from saltdeploy.minion import (
    checks,
    config_files,
    maintenance,
    revision_files,
    services,
    signature,
    untracked,
)
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.context import Host, Task
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import FAILED, OK, Step, Steps
from saltdeploy.protocol.orders import ROLLBACK

log = logging.getLogger(__name__)

Phases = list[list[Step]]
_ACTIVATE = "flip"  # the phase as events name it


def switch(tasks: Sequence[Task], host: Host, steps: Steps) -> list[dict[str, Any]]:
    """Make the release of each order live, and see that they are well.

    A repo whose release is live and settled already is left alone, unless its order says otherwise. One whose last
    switch did not come to a good end goes through the whole list, even where its release is live.

    Returns:
        Facts of each activation.

    Raises:
        DeployError: of the first step that failed.
    """
    sides = [_Side(task, host) for task in tasks]
    for side in sides:
        if not side.is_ready:
            side.activate()  # says why not
    busy = [side for side in sides if not side.is_done]
    for side in sides:
        if side.is_done:
            log.debug("%s: the release is live and settled already", side.repo.name)
            side.activate()  # notes another tag of the same release
    try:
        steps.run(_merged(busy, several=len(tasks) > 1))
    except DeployError as error:
        _tell_whether_depooled(error, steps, busy, several=len(tasks) > 1)
        for side in busy:
            side.leave_maintenance(error)
        raise
    return untracked.of_each([side.facts for side in sides], [side.repo for side in sides])


class _Side:
    """One repo's part in a switch."""

    def __init__(self, task: Task, host: Host) -> None:
        self.repo = task.repo
        self.facts: dict[str, Any] = {}
        self._layout = layouts.of(task.repo)
        self._order = task.order
        self._record = Record(host.cache, task.repo.name)
        holdings, unsettled = self._layout.holdings(), self._record.is_unsettled()
        signature.refuse_unlike(task.order, task.repo, holdings)
        tree = self._layout.tree(task.order.release.commit)
        self.is_ready = tree is not None
        is_live = holdings.live == task.order.release.commit
        self.is_done = is_live and not unsettled and not holdings.damaged and not task.order.anew
        well = holdings.previous if unsettled else holdings.live
        done = self._layout.tree(well) if well else None
        self._before = checks.left_by(task.order, holdings, unsettled=unsettled)
        self._site = CheckSite(task.repo, host, task.order.group, tree, done, task.order, self._before)

    def activate(self) -> str:
        """Make the release live."""
        back = self._order.stage == ROLLBACK or self._order.back
        if self._order.anew:
            self._render_anew()
        if back:
            self.facts.update(untracked.look_back(self.repo, self._layout))
        self.facts.update(self._layout.activate(self._order.release, back=back))
        host = self._site.host
        revision_files.write(self._order, self.repo, self._layout, self._before, host.name, host.clock())
        return self._order.release.tag

    def _render_anew(self) -> None:
        """A restart lets what is live take up what its pillar says today."""
        tree = self._layout.tree(self._order.release.commit) if self.repo.paths.config_files else None
        if tree is not None:
            config_files.put(self.repo, self._order.release, self._layout, self._site, tree)

    def leave_maintenance(self, error: DeployError) -> None:
        """The switch has failed: end the maintenance unless the pillar wants it to stay, and say what is so now."""
        said = maintenance.after_a_failure(self.repo.hooks.maintenance, self._record, self._site)
        if said:
            error.cause += f"; {said}"

    def phases(self, restart: Restart) -> Phases:
        """All steps; each phase is done for all repos before the next.

        Args:
            restart: what this repo has to restart.
        """
        repo, release, site = self.repo, self._order.release, self._site
        known = (*repo.hooks.checks, *checks.of_release(self._layout, repo, release.commit))
        back = self._order.stage == ROLLBACK
        restarts = services.steps(restart, site.host, site.place, stopped=True)
        why = f"deploy {self._order.deploy} switches to {release.tag}"
        return [
            [
                *(checks.at("before rollback", known, site) if back else ()),
                *checks.at("before checkout", known, site),
            ],
            [Step(_ACTIVATE, "begin", lambda: self._record.begin_switch(release.commit))],
            checks.hook(repo.hooks.depool, site),
            maintenance.begin(repo.hooks.maintenance, self._record, site, why),
            services.stops(restart, site.host),
            [Step(_ACTIVATE, "flip", self.activate)],
            [*checks.calls(repo.hooks.checkout_calls, site), *checks.at("after checkout", known, site)],
            checks.at("before restart", known, site),
            [step for step in restarts if step.phase == "restart"],
            [step for step in restarts if step.phase != "restart"],
            [
                *checks.at("after restart", known, site),
                *(checks.at("after rollback", known, site) if back else ()),
            ],
            maintenance.end(repo.hooks.maintenance, self._record, site),
            checks.hook(repo.hooks.repool, site),
            [Step(_ACTIVATE, "settle", self._record.settle)],
        ]


def _merged(sides: Iterable[_Side], *, several: bool) -> list[Step]:
    """The steps of all sides, phase by phase; with several repos each step says whose it is."""
    restarts: list[Restart] = []
    lists: list[Phases] = []
    for side in sides:
        phases = side.phases(services.not_in(side.repo.hooks.restart, restarts))
        restarts.append(side.repo.hooks.restart)
        lists.append([[_of(side, step) if several else step for step in phase] for phase in phases])
    return [step for phase in zip(*lists, strict=True) for step in chain(*phase)]


def _of(side: _Side, step: Step) -> Step:
    return dataclasses.replace(step, repo=side.repo.name)


def _tell_whether_depooled(
    error: DeployError, steps: Steps, sides: Iterable[_Side], *, several: bool
) -> None:
    """Say so in the answer when nobody sends this host work any more."""
    repos = [side.repo.name if several else "" for side in sides]
    out = [
        repo for repo in repos if steps.status("depool", repo) == OK and steps.status("repool", repo) != OK
    ]
    if out:
        error.cause += "; this host is left depooled"
    elif any(steps.status("depool", repo) == FAILED for repo in repos):
        error.cause += "; this host may be left depooled"
