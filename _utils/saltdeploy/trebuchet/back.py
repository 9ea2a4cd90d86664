"""``git deploy revert`` and ``git deploy rollback``: the fleet goes back to a release that it had, by one rename on each host."""

from __future__ import annotations

import contextlib
import time

from saltdeploy.lib.errors import DeployError
from saltdeploy.trebuchet import looking, refusal
from saltdeploy.trebuchet.console import Operator
from saltdeploy.trebuchet.doors import Door, LeftAlone, View
from saltdeploy.trebuchet.progress import of_deploy
from saltdeploy.trebuchet.refusal import Refusal, because
from saltdeploy.trebuchet.report import report
from saltdeploy.trebuchet.staging import Staging
from saltdeploy.trebuchet.sync import ending, story

_CHOICE = "Revert to ({}): "


def chosen(staging: Staging, door: Door, operator: Operator) -> str:
    """The tag that the operator picks from the list; an empty answer is the release before.

    Raises:
        Refusal: there is none before, or nobody answers.
    """
    before = _before(staging, door)
    operator.tell(*looking.tags_of(staging))
    answer = operator.answer(_CHOICE.format(before))
    if answer is None:
        raise Refusal("Nobody is here to choose, so nothing is reverted.", refusal.NOT_SYNCED, "no tag was given",
                      repo=staging.repo, next=f"git deploy revert {before}")  # fmt: skip
    return answer or before


def go_back(
    staging: Staging, door: Door, operator: Operator, tag: str, *, reset: bool, take_over: bool, reason: str
) -> None:
    """Bring the fleet back, and what the staging repository says with it.

    Args:
        tag: where to.
        reset: bring the work tree there as well, so that the next sync does not bring back what was left.
        take_over: go on with a deployment that somebody else has started.
        reason: for the history.

    Raises:
        Refusal: not every host is back; the deployment is still underway.
    """
    held = staging.lock() is not None
    _hold(staging, take_over=take_over)
    try:
        if reset:
            staging.refuse_dirty()
        view = _asked(staging, door, tag, reason)
    except LeftAlone as error:
        raise because("The way back is still underway.", refusal.NOT_SYNCED, error, staging.repo) from None
    except Refusal:
        if not held:  # nothing has changed anywhere
            staging.finish()
        raise
    _tell(staging, door, operator, tag, view)
    staging.write_deployed(tag)
    if reset:
        _reset(staging, operator, tag)
    staging.finish()


def _reset(staging: Staging, operator: Operator, tag: str) -> None:
    try:
        left = staging.keep_head()  # commits that were never synced would have no name any more
        staging.tree.reset(staging.tree.commit_of(tag))
    except DeployError as error:
        message = "The hosts are back, and the work tree is not."
        raise because(message, refusal.NOT_SYNCED, error, staging.repo) from None
    operator.tell(f"The work tree is at {tag}; it was at {left}.")


def _hold(staging: Staging, *, take_over: bool) -> None:
    if staging.lock() is None:
        staging.start()
    else:
        staging.own_lock(take_over=take_over)


def _before(staging: Staging, door: Door) -> str:
    try:
        before = str(door.ask("versions", {"repo": staging.repo}).get("before") or "")
    except DeployError as error:
        raise because(
            "The master does not tell what was deployed.", refusal.NOT_SYNCED, error, staging.repo
        ) from None
    if not before:
        raise Refusal("There is nothing to revert to.", refusal.NOT_SYNCED, "no release was accepted before this one",
                      repo=staging.repo, next="git deploy show")  # fmt: skip
    return before


def _asked(staging: Staging, door: Door, tag: str, reason: str) -> View:
    arguments: dict[str, object] = {"repo": staging.repo, "to": tag, **({"reason": reason} if reason else {})}
    try:
        staging.tree.commit_of(tag)  # a name that is none is found here, before any host is asked
        return door.deploy("rollback", arguments)
    except LeftAlone:
        raise
    except DeployError as error:
        raise because("Nothing was reverted.", refusal.NOT_SYNCED, error, staging.repo) from None


def _tell(staging: Staging, door: Door, operator: Operator, tag: str, view: View) -> None:
    """Show how it ended.

    Raises:
        Refusal: not as it was meant.
    """
    told = []
    with contextlib.suppress(DeployError):  # the hosts are back, whether or not the journal can be read
        told = story(door, staging.repo, str(view.get("deploy") or ""))
    progress = of_deploy("rollback", view, told, called="checkout")
    operator.tell(*report(staging.repo, tag, [progress], time.time(), detailed=bool(ending(view))))
    if lines := ending(view):
        done = f"{len(progress.done)}/{len(progress.hosts)} minions completed the way back to {tag}"
        raise Refusal(
            lines[0],
            refusal.NOT_SYNCED,
            f"{done}; the deployment is still underway",
            repo=staging.repo,
            next=str(view.get("next") or f"git deploy revert {tag}"),
        )
