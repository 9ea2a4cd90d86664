"""The spine of the master: one deploy, top to bottom.

First everything is decided, and nothing is asked of any host (:mod:`saltdeploy.master.planning.plan`). What was decided is
written into the journal. Then come the three stages, as the state machine decides (:mod:`saltdeploy.master.running.driver`), and
what became of them is settled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from saltdeploy.master.context import Master
from saltdeploy.master.payloads import swarm
from saltdeploy.master.plan_model import SYNC, Plan, Request
from saltdeploy.master.planning import dependencies, guards, naming
from saltdeploy.master.planning.plan import configured, make_plan, offers_of, pack
from saltdeploy.master.records import history
from saltdeploy.master.records.recorder import Recorder, tell_preparing
from saltdeploy.master.records.state import DeployState
from saltdeploy.master.rollout.model import CONVERGED, Outcome
from saltdeploy.master.running import opening, pinning
from saltdeploy.master.running.driver import Driver
from saltdeploy.master.running.holding import Leases, hold


@dataclass(frozen=True)
class Report:
    """How a deploy ended."""

    course: DeployState
    outcome: Outcome
    next: str
    seconds: float


def run(request: Request, pillar: dict[str, Any], site: str, deploy: str, master: Master) -> Report:
    """Deploy one repo, or several as one.

    Args:
        pillar, site: see :func:`saltdeploy.config.load`.
        deploy: the id of this deploy.

    Raises:
        DeployError: before anything was asked of any host.
    """
    repos = configured(request, pillar, site)
    tell_preparing(request, deploy, master)
    guards.refuse_early(request, repos, master)  # whoever may not deploy does not wait for a lock
    with hold(request, repos, deploy, master) as leases:
        draft = naming.named(make_plan(request, repos, leases, master), deploy)
        plan, offers = pack(draft, deploy, master)
        with (
            opening.open_journal(plan, leases, draft.warnings, master, request.once) as recorder,
            swarm.seeding(plan.parts, repos, offers, master, recorder.warn),
        ):
            return _three_stages(Driver(recorder, repos, leases, master, offers), recorder, leases, master)


def resume(deploy: str, pillar: dict[str, Any], site: str, master: Master) -> Report:
    """Resume a deploy whose process has died, from where its journal ends.

    Raises:
        NoSuchDeploy: there is nothing to resume.
        Locked: its process lives, or another deploy has the lock.
    """
    plan = opening.read_planned(deploy, master)
    request = Request(SYNC, plan.lead.repo, also=tuple((part.repo, "") for part in plan.parts[1:]))
    repos = configured(request, pillar, site)
    with (
        hold(request, repos, deploy, master) as leases,
        opening.reopen_journal(plan, leases, master) as recorder,
    ):
        offers = offers_of(plan, repos, master)
        with swarm.seeding(plan.parts, repos, offers, master, recorder.warn):
            return _three_stages(Driver(recorder, repos, leases, master, offers), recorder, leases, master)


def _three_stages(driver: Driver, recorder: Recorder, leases: Leases, master: Master) -> Report:
    """From where the deploy stands to its end: a stage that is over already is passed by."""
    driver.fetch_everywhere()  # the barrier: where too many fail nothing has changed anywhere
    driver.switch_wave_by_wave()  # canaries first; holds, questions, checks
    outcome = driver.roll_back_if_needed()  # the same steps backwards, on every host that was asked to switch
    pinning.settle(recorder, driver.orders.fetch, driver.seen, leases, outcome, master)
    outcome, next_command = recorder.end_of(_with_those_apart(outcome, recorder.plan))
    history.add(recorder, outcome, next_command, master)
    driver.forget_signals()
    return Report(recorder.state, outcome, next_command, round(master.bus.now() - recorder.state.begun, 3))


def _with_those_apart(outcome: Outcome, plan: Plan) -> Outcome:
    """The outcome, which says of whom it says nothing: hosts that operators have suspended."""
    return replace(outcome, reason="; ".join(filter(None, (outcome.reason, *plan.suspended))))


def run_with_dependencies(
    request: Request, pillar: dict[str, Any], site: str, deploy: str, master: Master
) -> Report:
    """Bring the repos that these need to their pinned releases, each by a deploy of its own; then deploy.

    Raises:
        DependencyFailed: one of them has no pin, or did not converge; these repos are as they were.
    """
    needed = dependencies.of(request, pillar, site)
    if needed:
        guards.refuse_early(request, configured(request, pillar, site), master, needed)
    for name in needed:
        to_its_pin = dependencies.to_its_pin(name, request, master)
        report = run(to_its_pin, pillar, site, master.bus.new_jid(), master)
        if report.outcome.word != CONVERGED:
            raise dependencies.failed(request, name, str(report.outcome), to_its_pin.tag)
    return run(request, pillar, site, deploy, master)
