"""The checks and hooks of one host: which stand at a point of a stage, and where they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltdeploy import checks
from saltdeploy.checks import INCONCLUSIVE, CheckContext
from saltdeploy.config import Repo, scap_checks
from saltdeploy.config.rollout import Check
from saltdeploy.layouts import Layout
from saltdeploy.lib.errors import (
    BadChecks,
    CheckFailed,
    CheckInconclusive,
    Corrupt,
    DeployError,
    HookFailed,
)
from saltdeploy.minion.context import Host
from saltdeploy.minion.steps import Step
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.orders import Order
from saltdeploy.protocol.release import Release


@dataclass(frozen=True)
class CheckSite:
    """A host in the middle of a stage.

    Attributes:
        group: the group that it is in; "" for none.
        tree: of the release that the stage is about; None before it is there.
        done: the tree of the release that was live and well before; None when there was none.
        order: of the stage; None where somebody calls a function by hand.
        before: the release that is left by the stage, or was by the last one; None where none is known.
    """

    repo: Repo
    host: Host
    group: str = ""
    tree: Path | None = None
    done: Path | None = None
    order: Order | None = None
    before: Release | None = None

    def place(self) -> CheckContext:
        """Where checks run at this moment."""
        live = Path(os.path.realpath(self.repo.paths.location))
        directory = self.tree or live
        variables = {
            "SCAP_FINAL_PATH": self.repo.paths.location,
            "SCAP_REV_PATH": directory,
            "SCAP_REVS_DIR": directory.parent,
            "SCAP_CURRENT_REV_DIR": live,
            "SCAP_DONE_REV_DIR": self.done or "",
        }
        return CheckContext(
            call=self.host.call,
            get=self.host.get,
            directory=directory if directory.is_dir() else None,
            environment={name: str(value) for name, value in {**variables, **self._release()}.items()},
        )

    def _release(self) -> dict[str, str]:
        """What is deployed, for programs: all names are there always, so that a script finds none of another run."""
        order, before = self.order, self.before
        return {
            "DEPLOY_REPO": self.repo.name,
            "DEPLOY_TAG": order.release.tag if order else "",
            "DEPLOY_COMMIT": order.release.commit if order else "",
            "DEPLOY_PREVIOUS_TAG": before.tag if before else "",
            "DEPLOY_PREVIOUS_COMMIT": before.commit if before else "",
            "DEPLOY_GROUP": self.group,
            "DEPLOY_HOST": self.host.name,
            "DEPLOY_STAGE": order.stage if order else "",
            "DEPLOY_ID": order.deploy if order else "",
            "DEPLOY_USER": order.user if order else "",
        }


def left_by(order: Order, holdings: Holdings, *, unsettled: bool) -> Release | None:
    """The release that was live and well before that of an order; None where none is known.

    Args:
        unsettled: a switch has begun here and not come to a good end: what is live may not be well.
    """
    well = holdings.previous if unsettled or holdings.live == order.release.commit else holdings.live
    if not well or well == order.release.commit:
        return None
    return Release(order.release.repo, holdings.tags.get(well, ""), well)


def of_release(layout: Layout, repo: Repo, commit: str) -> tuple[Check, ...]:
    """The checks that the release itself brings.

    Raises:
        BadChecks: its file is not valid, or stands in the way of the pillar's checks.
    """
    try:
        text = layout.read(commit, scap_checks.FILE, scap_checks.MOST)
    except Corrupt as error:
        raise BadChecks(error.cause, path=scap_checks.FILE) from error
    return tuple(brought.check for brought in scap_checks.read(text or b"", repo))


def at(point: str, known: Iterable[Check], site: CheckSite) -> list[Step]:
    """The steps of the checks that stand at a point: ``before fetch``, ``after restart``, ..."""
    return [
        Step("check", f"check {check.name}", _checking(check, point, site))
        for check in known
        if not check.master and check.point == point and check.group in ("", site.group)
    ]


def calls(functions: dict[str, list[Any]], site: CheckSite) -> list[Step]:
    """Trebuchet's module calls: checks of kind ``salt``. ``__REPO__`` in an argument stands for the repo's name."""
    return [
        Step("check", f"call {function}", _hooking(_call(function, arguments, site.repo), site))
        for function, arguments in functions.items()
    ]


def hook(check: Check | None, site: CheckSite) -> list[Step]:
    """The step of ``depool`` or ``repool``, where there is one."""
    return [Step(check.name, check.name, _hooking(check, site))] if check else []


def _call(function: str, arguments: list[Any], repo: Repo) -> Check:
    said = [each.replace("__REPO__", repo.name) if isinstance(each, str) else each for each in arguments]
    return Check(
        name=function,
        kind="salt",
        before=False,
        stage="checkout",
        timeout=repo.rollout.timeout,
        options=(("function", function), ("args", said)),
    )


def _checking(check: Check, point: str, site: CheckSite) -> Callable[[], str]:
    def act() -> str:
        place = site.place()
        verdict = checks.run(check, place)
        if verdict.ok:
            return verdict.text
        kind: type[DeployError] = CheckInconclusive if verdict.word == INCONCLUSIVE else CheckFailed
        raise kind(f"{verdict.text} [{point}]", next=_by_hand(check, place, site))

    return act


def _hooking(check: Check, site: CheckSite) -> Callable[[], str]:
    def act() -> str:
        place = site.place()
        verdict = checks.run(check, place)
        if not verdict.ok:
            raise HookFailed(verdict.text, next=_by_hand(check, place, site))
        return verdict.text

    return act


def _by_hand(check: Check, place: CheckContext, site: CheckSite) -> str:
    return f"on {site.host.name}: {checks.by_hand(check, place)}"
