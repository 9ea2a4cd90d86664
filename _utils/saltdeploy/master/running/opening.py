"""Opens the journal of a deploy: what was decided stands there, and in the history, before any host is asked."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from saltdeploy.lib.errors import NoSuchDeploy
from saltdeploy.master.context import Master
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.plan_model import Plan
from saltdeploy.master.records.checks import Baselines
from saltdeploy.master.records.history import History
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.records.state import DeployState
from saltdeploy.protocol import events

log = logging.getLogger(__name__)


@contextlib.contextmanager
def open_journal(
    plan: Plan,
    leases: Mapping[str, Lease],
    warnings: Sequence[str],
    master: Master,
    once: Mapping[str, Any],
) -> Iterator[Recorder]:
    """Begin the journal of a deploy, and record what was decided; it is closed when the block ends.

    Args:
        warnings: what an operator should know and what stops nothing.
        once: what was said for this deploy alone.
    """
    lead, *others = [part.repo for part in plan.parts]
    with Journals(master.root).write(lead, plan.deploy, others) as journal:
        recorder = Recorder(DeployState.of(plan), journal, master)
        begun = _record_plan(recorder, leases, warnings, once, master.role)
        for each in events.of_each_repo(begun):
            History(master.store).started(each)
        for part in plan.parts:
            Baselines(master.store).keep(part.release, part.baselines)
        yield recorder


def _record_plan(
    recorder: Recorder,
    leases: Mapping[str, Lease],
    warnings: Sequence[str],
    once: Mapping[str, Any],
    role: str,
) -> events.Event:
    plan = recorder.plan
    lead, *others = [part.release for part in plan.parts]
    log.info(
        "deploy %s begins: %s %s %s to %d hosts",
        plan.deploy,
        plan.action,
        lead.repo,
        lead.tag,
        len(plan.hosts),
    )
    begun = recorder.record(
        events.started, tag=lead.tag, commit=lead.commit, user=plan.user,
        hosts=len(plan.hosts), action=plan.action, reason=plan.reason,
        groups=[wave.name for wave in plan.waves if wave.name],
        left_out=len(plan.left_out), epoch=leases[lead.repo].epoch, once=once, role=role,
        also=[{**each.to_wire(), "epoch": leases[each.repo].epoch} for each in others])  # fmt: skip
    for text in warnings:
        recorder.warn(text)
    recorder.record(events.planned, script=plan.to_wire())
    for part in plan.parts:
        for way in part.ways:
            if way.why:
                recorder.record(events.chosen, about=part.repo, transport=way.transport, hosts=len(way.hosts),
                                why=way.why)  # fmt: skip
    recorder.sync()
    return begun


def read_planned(deploy: str, master: Master) -> Plan:
    """What was decided of a deploy.

    Raises:
        NoSuchDeploy: no journal tells it.
    """
    journals = Journals(master.root)
    name = journals.repo_of(deploy)
    if not name:
        raise NoSuchDeploy(
            f"there is no journal of deploy {deploy}",
            next="salt-run deploy.overview --out=yaml tells the deploys of all repos",
        )
    return DeployState.read(journals.path(name, deploy)).script


@contextlib.contextmanager
def reopen_journal(plan: Plan, leases: Mapping[str, Lease], master: Master) -> Iterator[Recorder]:
    """Open the journal of a deploy whose process has died, and record that this one resumes it.

    Raises:
        NoSuchDeploy: it has ended, or is not the newest one.
    """
    journals, history = Journals(master.root), History(master.store, lambda damage: False)
    lead, *others = [part.repo for part in plan.parts]
    state = DeployState.read(journals.path(lead, plan.deploy))
    _refuse_to_resume(state, journals, history)
    log.info("deploy %s: resumed at %s", plan.deploy, state.rollout.stage)
    with journals.write(lead, plan.deploy) as journal:
        recorder = Recorder(state, journal, master)
        also = [{"repo": repo, "epoch": leases[repo].epoch} for repo in others]
        event = recorder.record(
            events.resumed, user=master.user, epoch=leases[lead].epoch, also=also, role=master.role
        )
        for each in events.of_each_repo(event):
            History(master.store).resumed(each)
        yield recorder


def _refuse_to_resume(state: DeployState, journals: Journals, history: History) -> None:
    """Whoever resumes an old deploy would undo the newer one; the end of one may be damaged in its journal."""
    deploy = state.script.deploy
    for part in state.script.parts:
        newest = journals.latest(part.repo)
        ended = state.ended or history.tells(part.repo, deploy)
        if ended or newest != deploy:
            why = "has ended already" if ended else f"is not the newest: {newest} has begun since"
            raise NoSuchDeploy(
                f"deploy {deploy} {why}", repo=part.repo, next=f"salt-run deploy.versions repo={part.repo}"
            )
