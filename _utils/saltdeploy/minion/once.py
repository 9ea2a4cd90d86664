"""Runs a step on this host that runs once in a deploy.

That it begins is on the disk before it does. Asked once more for the same run, without an answer in the record, a host says that
nobody knows how it ended, and runs nothing.
"""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.config.once import OnceCommand
from saltdeploy.lib import process
from saltdeploy.lib.errors import NotReady, StepFailed
from saltdeploy.lib.spelling import argument
from saltdeploy.minion.checks import CheckSite
from saltdeploy.minion.context import Host, Task
from saltdeploy.minion.record import Record
from saltdeploy.minion.steps import Step, Steps
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import Release


def run(task: Task, host: Host, steps: Steps) -> dict[str, Any]:
    """Run it, or what undoes it; the facts of the answer.

    Raises:
        StepFailed: it failed.
        StepUnknown: it was begun before, and nobody knows how it ended.
        NotReady: its release is not on this host.
    """
    order, repo = task.order, task.repo
    step = _step(order, repo)
    command = step.undo if order.undo else step.command
    site = _site(order, repo, host)
    Record(host.cache, repo.name).begin_once(order)
    name = f"undo {step.name}" if order.undo else f"once {step.name}"
    steps.run([Step("check", name, lambda: _act(command, step, site))])
    said = str(steps.done[-1]["text"])
    return {"said": said} if said else {}


def _step(order: Order, repo: Repo) -> OnceCommand:
    found = next((one for one in repo.hooks.once if one.name == order.step), None)
    if found is None or (order.undo and not found.undo):
        what = "what undoes step" if order.undo else "step"
        raise StepFailed(
            f"the pillar of this host does not say {what} {order.step}, and the master's does",
            path=f"repo_config:{repo.name}:once",
            next="salt '*' saltutil.refresh_pillar wait=True; then deploy again",
        )
    return found


def _site(order: Order, repo: Repo, host: Host) -> CheckSite:
    """Where it runs: in the tree of the release that it belongs to, which of what undoes it is the one that is left."""
    layout = layouts.of(repo)
    holdings = layout.holdings()
    this = order.release
    other = _named(order.left, holdings) or (
        holdings.previous if holdings.live == this.commit else holdings.live
    )
    release = Release(repo.name, holdings.tags.get(other, ""), other) if other else None
    left_is_other = order.undo and order.back
    tree = layout.tree(other if left_is_other else this.commit) if other or not left_is_other else None
    if tree is None and holdings.live and not left_is_other:
        raise NotReady(
            f"{this.tag} is not on this host's disk",
            repo=repo.name,
            next=f"salt-run deploy.fetch {argument('repo', repo.name)} {argument('tag', this.tag)}",
        )
    if order.undo and not order.back:
        return CheckSite(repo, host, order.group, tree, None, _towards(order, release), this)
    return CheckSite(repo, host, order.group, tree, None, order, release)


def _named(tag: str, holdings: Holdings) -> str:
    """The commit of a release that is on this host; "" where it is not."""
    return next((commit for commit, other in holdings.tags.items() if tag and other == tag), "")


def _towards(order: Order, release: Release | None) -> Order | None:
    """The order as programs are told of it: what is gone back to, where there is something."""
    return dataclasses.replace(order, release=release) if release else None


def _act(command: tuple[str, ...], step: OnceCommand, site: CheckSite) -> str:
    place = site.place()
    typed = shlex.join(command)
    by_hand = f"on {site.host.name}: {_in(place.directory)}{typed}"
    try:
        ended = process.run(
            command,
            step.timeout,
            directory=place.directory,
            environment={**place.environment, "DEPLOY_STEP": step.name},
            locks=True,  # as long as it runs this host says so, also when we are killed
        )
    except process.Overran as overran:
        cause = f"it had not ended after {step.timeout:g} seconds: {overran.output}"
        raise StepFailed(cause, next=by_hand) from None
    except OSError as error:
        raise StepFailed(f"{command[0]} cannot be run: {error.strerror}", next=by_hand) from error
    if ended.code:
        raise StepFailed(f"{ended.output} (exit code {ended.code})".strip(), next=by_hand)
    return ended.output


def _in(directory: Path | None) -> str:
    return f"cd {shlex.quote(str(directory))} && " if directory else ""
