"""The steps of a deploy that run once: where each of them will, and what a roll back has to do with those of earlier deploys."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.config.once import FIRST, MASTER, OnceCommand
from saltdeploy.lib.errors import CannotUndo, NoTargets
from saltdeploy.lib.forcing import STEPS
from saltdeploy.lib.spelling import argument
from saltdeploy.master.plan_model import SYNC
from saltdeploy.master.planning.resolve import ResolvedRepo
from saltdeploy.master.rollout.model import PlannedStep
from saltdeploy.master.waves import Wave
from saltdeploy.protocol.orders import CHECKOUT, ROLLBACK

_CANDIDATES = 20  # hosts of which the first that has fetched runs it


def planned(repos: Sequence[ResolvedRepo], waves: Sequence[Wave]) -> tuple[PlannedStep, ...]:
    """The steps of a deploy, in the order of the repos and of their pillars.

    Raises:
        NoTargets: a step has no host to run on.
    """
    found: list[PlannedStep] = []
    for one in repos:
        action = one.request.action
        if action in (SYNC, CHECKOUT):
            found += [_planned(step, one, waves) for step in one.repo.hooks.once]
        elif action == ROLLBACK and one.repo.hooks.once:
            found += _undoing(one, waves)
    return tuple(found)


def _planned(step: OnceCommand, one: ResolvedRepo, waves: Sequence[Wave]) -> PlannedStep:
    return PlannedStep(
        name=step.name,
        repo=one.repo.name,
        before=step.before,
        hosts=_hosts(step, one, waves),
        undo=bool(step.undo),
        refuses=step.refuses,
        timeout=step.timeout,
    )


def _hosts(step: OnceCommand, one: ResolvedRepo, waves: Sequence[Wave]) -> tuple[str, ...]:
    """Where it can run; () for the master."""
    if step.where == MASTER:
        return ()
    mine = set(one.hosts)
    in_order = [host for wave in waves for host in wave.hosts if host in mine]
    if step.group:
        found = [host for wave in waves if wave.group == step.group for host in wave.hosts if host in mine]
    elif step.where == FIRST:
        found = in_order
    else:
        matched = one.master.targets(step.where, "compound")
        found = [host for host in in_order if host in set(matched)] or matched
    if not found:
        raise NoTargets(
            f"step {step.name} is to run on {step.where}, and that is none of the hosts of this deploy"
            if step.group
            else f"step {step.name} is to run on {step.where}, and no minion matches that",
            repo=one.repo.name,
            path=f"repo_config:{one.repo.name}:once:{step.name}",
            next=f"salt-run deploy.targets {argument('repo', one.repo.name)}; then mend where, or deploy without limit",
        )
    return tuple(found[:_CANDIDATES])


# -- what earlier deploys have done, and a roll back leaves ---------------------------------------------------


@dataclass(frozen=True)
class StandingStep:
    """A step that an earlier deploy has done, and that nobody has undone.

    Attributes:
        tag: of the release that it belongs to.
        epoch: of that deploy.
        host: where it ran; "" for the master.
        refuses: whether it refuses a roll back.
        is_known: False: it has begun, and nobody knows how it ended.
    """

    name: str
    tag: str
    epoch: int
    host: str
    refuses: bool
    is_known: bool

    def __str__(self) -> str:
        was = "was done" if self.is_known else "may have been done"
        return f"step {self.name} {was} with {self.tag} on {self.host or 'the master'}"


def standing(versions: Iterable[dict[str, Any]], commit: str) -> list[StandingStep]:
    """The steps that a way back to a release would have to undo, the newest first.

    Args:
        versions: the repo's history, newest first.
        commit: where it leads.
    """
    found: list[StandingStep] = []
    accepted: dict[str, int] = {}
    for version in reversed(list(versions)):
        steps = version.get("steps", ())
        if version["action"] == ROLLBACK:
            undone = {step["step"] for step in steps if step["state"] == "undone"}
            since = accepted.get(version["commit"], 0)
            found = [one for one in found if one.name not in undone or one.epoch <= since]
        else:
            found += [
                StandingStep(
                    step["step"],
                    version["tag"],
                    version["epoch"],
                    step["host"],
                    step["refuses"],
                    step["state"] == "done",
                )
                for step in steps
                if step["state"] in ("done", "lost")
            ]
        if version["accepted"]:
            accepted[version["commit"]] = version["epoch"]
    since = accepted.get(commit, 0)
    return [one for one in reversed(found) if one.epoch > since]


def _left(one: ResolvedRepo) -> list[StandingStep]:
    """Where a roll back has nothing in its way, nothing is read: it must work when little else does."""
    return standing(one.history.versions(one.repo.name), one.release.commit)


def _undoing(one: ResolvedRepo, waves: Sequence[Wave]) -> Iterator[PlannedStep]:
    """What undoes them, each once, the newest first: what ran when all had switched comes before they switch back."""
    known = {step.name: step for step in one.repo.hooks.once}
    names = dict.fromkeys(left.name for left in _left(one) if left.is_known)
    for name in names:
        step = known.get(name)
        if step is not None and step.undo:
            yield replace(_planned(step, one, waves), before=not step.before, is_undo=True, refuses=False)


def lasting(one: ResolvedRepo) -> list[str]:
    """What a roll back leaves done, in words; what it is named by first."""
    if one.request.action != ROLLBACK or not one.repo.hooks.once:
        return []
    known = {step.name: step for step in one.repo.hooks.once}
    return [
        f"cannot be undone: {left}"
        if left.is_known
        else f"{left}: nobody knows, so nobody undoes it; look there"
        for left in _left(one)
        if not left.is_known or not (known.get(left.name) and known[left.name].undo)
    ]


def refuse(one: ResolvedRepo) -> None:
    """Refuse a roll back that a step of a release which it leaves refuses.

    Raises:
        CannotUndo: naming the step.
    """
    if one.request.action != ROLLBACK or not one.repo.hooks.once or one.request.forces(STEPS):
        return
    first = next((left for left in _left(one) if left.refuses), None)
    if first is not None:
        name = one.repo.name
        raise CannotUndo(
            f"{first}, and its rollback: refuse says that going back behind it would do harm",
            repo=name,
            path=f"repo_config:{name}:once:{first.name}",
            next=f"deploy a release that mends it: salt-run deploy.sync {argument('repo', name)} tag=...; or, if going back "
            f"is right all the same: {one.request.forcing(STEPS)}",
        )


# -- in words -------------------------------------------------------------------------------------------------


def remarks(steps: Sequence[PlannedStep], repos: Sequence[Repo]) -> Iterator[str]:
    """What a plan says of the steps."""
    commands = {(repo.name, step.name): step for repo in repos for step in repo.hooks.once}
    for step in steps:
        said = commands[step.repo, step.name]
        where = f"on {step.hosts[0]}" if step.hosts else "on the master"
        point = "before the checkout" if step.before else "after the checkout"
        typed = shlex.join(said.undo if step.is_undo else said.command)
        back = _back(step)
        yield f"Once, {point}, {where}{_why(said)}: {step.name}: {typed}{back}"


def _why(said: OnceCommand) -> str:
    return "" if said.where == MASTER else f" ({said.where})"


def _back(step: PlannedStep) -> str:
    if step.is_undo:
        return " (this undoes what an earlier deploy has done)"
    if step.refuses:
        return ". Once it is done a roll back is refused"
    return ". A roll back undoes it" if step.undo else ". It cannot be undone: a roll back leaves it done"
