"""Runs the steps of a deploy that run once: on the master in a thread of their own, on a host by an order.

That a step begins is on the disk before it does. So a process that resumes the deploy knows which one the other had begun, and
never begins it again: a host is asked what became of it, and of the master's own step it is said that nobody knows.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from saltdeploy.config import Repo
from saltdeploy.config.once import OnceCommand
from saltdeploy.lib import flock, process
from saltdeploy.lib.errors import DeployError, StepUnknown, Unreachable
from saltdeploy.master.context import Master
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.master.locking.lease import Lease
from saltdeploy.master.plan_model import Part
from saltdeploy.master.records.recorder import Recorder
from saltdeploy.master.rollout.model import DONE, FAILED, LOST, TO_DO, StepRun
from saltdeploy.protocol import events
from saltdeploy.protocol.orders import ONCE, ROLLBACK, Order
from saltdeploy.protocol.release import file_name
from saltdeploy.protocol.result import Result
from saltdeploy.protocol.swarm import Swarm

log = logging.getLogger(__name__)

_GRACE = 60.0  # seconds that a host may take beside the step itself


class OnceRuns:
    """The runs of one process.

    Args:
        repos: the configuration of each repo of the plan.
        fleet: asks hosts.
    """

    def __init__(
        self,
        recorder: Recorder,
        repos: Sequence[Repo],
        leases: Mapping[str, Lease],
        fleet: Fleet,
        master: Master,
    ) -> None:
        self._recorder = recorder
        self._plan = recorder.plan
        self._repos = {repo.name: repo for repo in repos}
        self._leases = leases
        self._fleet = fleet
        self._master = master
        self._begun: StepRun | None = None
        self._work: Future[tuple[str, str]] | None = None
        self._answer: Result | None = None

    def is_over(self, run: StepRun) -> bool:
        """Begin what is due, or look whether it is over; if so, record it, and the state machine goes on."""
        if self._begun != run and not self._begin(run):
            return True  # nothing can be written down, so nothing is begun
        ended = self._ended(run)
        if ended is None:
            return False
        self._begun = self._work = self._answer = None
        how, text = ended
        self._record(events.step_finished, run, state=how, text=text)
        return True

    def take(self, result: Result) -> bool:
        """Take in an answer of a host; whether it is that to the step under way."""
        mine = self._begun is not None and bool(self._begun.host) and result.host == self._begun.host
        if mine:
            self._answer = result
        return mine

    # -- beginning --------------------------------------------------------------------------------------

    def _begin(self, run: StepRun) -> bool:
        """Whether it was begun, now or before."""
        is_resumed = self._recorder.state.rollout.step_under_way == run
        if not is_resumed:
            self._record(events.step_started, run)
            if self._recorder.lost:
                return False
            self._recorder.sync()
        self._begun = run
        if run.host:
            timeout = run.step.timeout + _GRACE
            self._fleet.ask([run.host], (self._order(run),), timeout)
        elif not is_resumed:
            pool = ThreadPoolExecutor(1)
            self._work = pool.submit(self._run_here, run)
            pool.shutdown(wait=False)
        return True

    def _record(self, build: Callable[..., events.Event], run: StepRun, **more: str) -> None:
        self._recorder.record(
            build,
            about=run.step.repo,
            step=run.step.name,
            number=run.number,
            on=run.host,
            undo=run.undo,
            **more,
        )

    def _part(self, run: StepRun) -> Part:
        return next(part for part in self._plan.parts if part.repo == run.step.repo)

    def _order(self, run: StepRun) -> Order:
        part, back = self._part(run), self._plan.action == ROLLBACK
        group = next((wave.group for wave in self._plan.waves if run.host in wave.hosts), "")
        return dataclasses.replace(
            part.order,
            epoch=self._leases[part.repo].epoch,
            stage=ONCE,
            payloads=(),
            sources=(),
            swarm=Swarm(),
            group=group,
            attempt=run.number,
            step=run.step.name,
            undo=run.undo,
            back=back,
            left=part.previous if back else "",
        )

    # -- ending -----------------------------------------------------------------------------------------

    def _ended(self, run: StepRun) -> tuple[str, str] | None:
        """How it ended, and what there is to say; None while it has not."""
        if run.host:
            return None if self._answer is None else _told(self._answer)
        if self._work is not None:
            return self._work.result() if self._work.done() else None
        with flock.locked(self._lock(run), wait=False) as free:  # begun by a process that has died
            if not free:
                return None
        return LOST, "the process that ran it on the master has died"

    def _lock(self, run: StepRun) -> Path:
        """Held while a step runs on the master, also by what it has started."""
        return self._master.root / "once" / f"{file_name(run.step.repo)}.lock"

    def _run_here(self, run: StepRun) -> tuple[str, str]:
        try:
            step = next(one for one in self._repos[run.step.repo].hooks.once if one.name == run.step.name)
        except StopIteration:
            return FAILED, "the pillar does not name it any more"
        command = step.undo if run.undo else step.command
        log.info("deploy %s: step %s runs: %s", self._plan.deploy, step.name, shlex.join(command))
        with flock.locked(self._lock(run), wait=True):
            how, said = _run(command, step, self._environment(run))
        if how == DONE:
            return how, said
        return how, f"{said}{TO_DO}on the master: {shlex.join(command)}; then run the same command again"

    def _environment(self, run: StepRun) -> dict[str, str]:
        """What is deployed, for programs; what undoes finds the release that is gone back to, and the one that is left."""
        part = self._part(run)
        this, other = (part.release.tag, part.release.commit), (part.previous, "")
        at, before = (other, this) if run.undo and self._plan.action != ROLLBACK else (this, other)
        return {
            "DEPLOY_REPO": part.repo,
            "DEPLOY_TAG": at[0],
            "DEPLOY_COMMIT": at[1],
            "DEPLOY_PREVIOUS_TAG": before[0],
            "DEPLOY_PREVIOUS_COMMIT": before[1],
            "DEPLOY_GROUP": "",
            "DEPLOY_HOST": os.uname().nodename,
            "DEPLOY_STAGE": ONCE,
            "DEPLOY_ID": self._plan.deploy,
            "DEPLOY_USER": self._plan.user,
            "DEPLOY_STEP": run.step.name,
        }


def _run(command: Sequence[str], step: OnceCommand, environment: Mapping[str, str]) -> tuple[str, str]:
    try:
        ended = process.run(command, step.timeout, environment=environment, locks=True)
    except process.Overran as overran:
        return FAILED, f"it had not ended after {step.timeout:g} seconds: {overran.output}".rstrip(": ")
    except OSError as error:
        return FAILED, f"{command[0]} cannot be run: {error.strerror}"
    if ended.code:
        return FAILED, f"{ended.output} (exit code {ended.code})".strip()
    return DONE, ended.output


def _told(result: Result) -> tuple[str, str]:
    """What a host's answer says of a step."""
    error = result.error
    if error is None:
        return DONE, str(result.facts.get("said", ""))
    is_lost = isinstance(error, (StepUnknown, Unreachable))
    return (LOST if is_lost else FAILED), _cause(error)


def _cause(error: DeployError) -> str:
    return f"{error.cause}{TO_DO}{error.next}" if error.next else error.cause
