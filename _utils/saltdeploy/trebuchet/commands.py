"""The subcommands of ``git deploy``. Each takes what was typed and does one thing; ``shell.py`` knows what can be typed."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from saltdeploy.lib.errors import DeployError
from saltdeploy.trebuchet import back, looking, refusal
from saltdeploy.trebuchet.console import Operator
from saltdeploy.trebuchet.doors import Door
from saltdeploy.trebuchet.doors.opening import open_door
from saltdeploy.trebuchet.progress import StageProgress, combined, of_deploy
from saltdeploy.trebuchet.refusal import Refusal, because
from saltdeploy.trebuchet.report import report as report_of
from saltdeploy.trebuchet.staging import Staging
from saltdeploy.trebuchet.sync import ending, story
from saltdeploy.trebuchet.sync import sync as sync_stages


@dataclass(frozen=True)
class Invocation:
    """One command as it was typed.

    Attributes:
        arguments: of the subcommand.
        staging: the repository that it was typed in.
        operator: who typed it.
    """

    arguments: argparse.Namespace
    staging: Staging
    operator: Operator

    @cached_property
    def door(self) -> Door:
        """The way to the master."""
        return open_door(self.staging.settings)


Command = Callable[[Invocation], None]


def start(typed: Invocation) -> None:
    """Start a deployment for this repository and hold the deployment lock."""
    typed.staging.start()
    typed.operator.tell("Deployment started.")


def hotfix(typed: Invocation) -> None:
    """Start a deployment of what was synced last, or of a tag, to correct that: nothing newer comes along."""
    staging = typed.staging
    staging.refuse_dirty()
    tag = typed.arguments.tag or staging.deployed().tag
    commit = staging.tree.commit_of(tag)  # a name that is none is found before anything is held
    left = staging.start()
    try:
        staging.tree.reset(commit)
    except DeployError as error:
        staging.finish()
        message = "Deployment failed to start"
        raise because(message, refusal.NOT_STARTED_OR_LOCKED, error, staging.repo) from None
    typed.operator.tell(
        "Deployment started.",
        f"The work tree is at {tag}; it was at {left}, and git deploy abort brings it back there.",
    )


def abort(typed: Invocation) -> None:
    """Abort this deployment, resetting the local repository back to the start tag."""
    warnings = typed.staging.abort(reset=not typed.arguments.noreset, force=typed.arguments.force)
    typed.operator.tell(*warnings, "Deployment aborted.")


def finish(typed: Invocation) -> None:
    """Finish the deployment and release the deployment lock. Sync does this by itself when all went well."""
    typed.staging.own_lock(take_over=typed.arguments.take_over)
    typed.staging.finish()
    typed.operator.tell("Deployment finished.")


def sync(typed: Invocation) -> None:
    """Synchronize the current state of the local repository to all deployment targets."""
    typed.staging.own_lock(take_over=typed.arguments.take_over)
    sync_stages(
        typed.staging, typed.door, typed.operator, force=typed.arguments.force, reason=typed.arguments.message
    )
    finish(typed)


def service(typed: Invocation) -> None:
    """Manage the service associated with this repository."""
    action, staging = typed.arguments.action, typed.staging
    if action != "restart":
        raise Refusal(
            f"{action} is not an action implemented by this service driver.",
            refusal.NO_SUCH_ACTION,
            "restart is the only one",
            repo=staging.repo,
            next="git deploy service restart",
        )
    try:
        view = typed.door.deploy("restart", {"repo": staging.repo, "batch": typed.arguments.batch})
    except DeployError as error:
        raise because("Error received from salt; raw output:\n\n" + error.cause, refusal.SERVICE_FAILED, error,
                      staging.repo) from None  # fmt: skip
    hosts = view.get("hosts")
    told = of_deploy("checkout", view, story(typed.door, staging.repo, str(view.get("deploy") or "")))
    for name in hosts if isinstance(hosts, dict) else ():
        host = told.hosts.get(name)
        known = host is not None and host.status is not None
        typed.operator.tell(
            f"{name}: {host.status == 0}" if known and host else f"{name}: No status available"
        )
        if host and host.cause:
            typed.operator.tell(f"\t{host.cause}" + (f". Next: {host.next}" if host.next else ""))
    if lines := ending(view):
        raise Refusal(lines[0], refusal.SERVICE_FAILED, "not every host has restarted", repo=staging.repo,
                      next=str(view.get("next") or "git deploy report sync --detailed"))  # fmt: skip


def report(typed: Invocation) -> None:
    """Report information about this repository's deployments."""
    staging = typed.staging
    deployed = staging.deployed()
    if typed.arguments.action == "service":
        return
    try:
        told = typed.door.ask("report", {"repo": staging.repo})
        stages = {
            name: _as_told(typed.door, staging.repo, name, deploy)
            for name, deploy in deployed.deploys.items()
        }
    except DeployError as error:
        raise because("The reporter failed.", refusal.NO_REPORT, error, staging.repo) from None
    both = combined(told, deployed.tag, stages)
    typed.operator.tell(
        *report_of(staging.repo, deployed.tag, both, time.time(), detailed=typed.arguments.detailed)
    )


def revert(typed: Invocation) -> None:
    """Bring all targets back to a release of before, and the local repository with them."""
    _go_back(typed, reset=not typed.arguments.noreset)
    typed.operator.tell("Deployment reverted.")


def rollback(typed: Invocation) -> None:
    """Bring all targets back to a release of before, and leave the local repository as it is."""
    _go_back(typed, reset=False)
    typed.operator.tell("Deployment rolled back.")


def _go_back(typed: Invocation, *, reset: bool) -> None:
    words = typed.arguments
    tag = words.tag or back.chosen(typed.staging, typed.door, typed.operator)
    back.go_back(
        typed.staging,
        typed.door,
        typed.operator,
        tag,
        reset=reset,
        take_over=words.take_over,
        reason=words.message,
    )


def show(typed: Invocation) -> None:
    """Show the tags that can be reverted to; the star is at what is checked out here."""
    typed.operator.show(looking.tags_of(typed.staging, 0 if typed.arguments.all else 20))


def show_tag(typed: Invocation) -> None:
    """Show the tag that was synced last."""
    typed.operator.show([typed.staging.deployed().tag])


def log(typed: Invocation) -> None:
    """Show the commits that the next sync would bring."""
    typed.operator.show(looking.changes(typed.staging))


def status(typed: Invocation) -> None:
    """Show how far a deployment is, here and on the master."""
    staging = typed.staging
    try:
        known = typed.door.ask("overview", {"repo": staging.repo})
    except DeployError as error:
        typed.operator.show(looking.status(staging, {}))
        raise because("The master does not tell more.", refusal.NO_REPORT, error, staging.repo) from None
    typed.operator.show(looking.status(staging, known))


def lock(typed: Invocation) -> None:
    """Let nobody deploy this repository, from wherever, until it is unlocked."""
    _change_lock(typed, "lock", {"reason": typed.arguments.reason}, "Deployments are locked.")


def unlock(typed: Invocation) -> None:
    """Let this repository be deployed again."""
    words = typed.arguments
    more = {"force": True, "reason": words.message} if words.force else {}
    _change_lock(typed, "unlock", more, "Deployments are unlocked.")


def _change_lock(typed: Invocation, function: str, more: dict[str, object], done: str) -> None:
    repo = typed.staging.repo
    try:
        typed.door.ask(function, {"repo": repo, **more})
    except DeployError as error:
        raise because(f"The {function} was refused.", refusal.NOT_STARTED_OR_LOCKED, error, repo) from None
    typed.operator.tell(done)


def attach(typed: Invocation) -> None:
    """Watch the deployment that is under way, and answer its questions."""
    repo = typed.staging.repo
    try:
        view = typed.door.attach(repo)
    except DeployError as error:
        raise because("There is nothing to attach to.", refusal.NOT_SYNCED, error, repo) from None
    typed.operator.tell(*(ending(view) or [f"{view.get('outcome')} {view.get('ok')}/{view.get('total')}"]))


def login(typed: Invocation) -> None:
    """Log in at salt-api, for the door api; the token is kept where only you can read it."""
    from saltdeploy.trebuchet.doors.salt_api import SaltApi  # as in opening.py: most commands ask no API

    settings = typed.staging.settings
    user = settings.door.get("deploy.api-user") or getpass.getuser()
    eauth = settings.door.get("deploy.api-eauth", "pam")
    try:
        door = SaltApi(settings)
        door.login(user, getpass.getpass(f"Password of {user}: "), eauth)
    except EOFError:
        raise Refusal("Nobody is here to type a password.", refusal.CONFIGURATION) from None
    except DeployError as error:
        raise because("You are not logged in.", refusal.CONFIGURATION, error, settings.repo) from None
    typed.operator.tell(f"Logged in as {user}.")


def _as_told(door: Door, repo: str, stage: str, deploy: str) -> StageProgress:
    """A stage of a deploy of before; its journal may be gone."""
    with contextlib.suppress(DeployError):
        return of_deploy(stage, {}, story(door, repo, deploy))
    return StageProgress(stage)
