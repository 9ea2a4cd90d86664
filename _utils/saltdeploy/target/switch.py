"""Switches a host to a release: one list of steps, whether forth or back.

    checks before checkout > depool > flip > module calls > checks after checkout
    > checks before restart > restart > wait for ports > checks after restart > repool

The first step that fails ends the list. So a host that is not well is never put back into service, and nothing is
restarted onto a release whose files did not pass.

Between flip and restart the files are new and the processes are old. What is checked there is about files; no
verdict about the new release may be taken there, since it would be the old release that gives it. (A fleet of
web servers went down minutes after such checks had passed.) That is also why the switch and the restart are
one job: nothing on the master comes between them. ``checklist.refuse_in_the_gap`` refuses checks of this kind.
"""

from __future__ import annotations

from typing import Any

from saltdeploy import layouts
from saltdeploy.config import Repo
from saltdeploy.errors import DeployError
from saltdeploy.layouts import Layout
from saltdeploy.orders import ROLLBACK, Order
from saltdeploy.target import checkpoints, services
from saltdeploy.target.checkpoints import Site
from saltdeploy.target.host import Host
from saltdeploy.target.record import Record
from saltdeploy.target.steps import FAILED, OK, Step, Steps


def switch(order: Order, repo: Repo, host: Host, steps: Steps) -> dict[str, Any]:
    """Make the order's release live, and see that it is well.

    A host on which it is live and settled already is left alone. One whose last switch did not come to a good end
    goes through the whole list, even where the flip itself has nothing to do.

    Returns:
        Facts of the flip.

    Raises:
        DeployError: of the first step that failed.
    """
    layout = layouts.of(repo)
    record = Record(host.cache, repo.name)
    holdings = layout.holdings()
    tree = layout.tree(order.release.commit)
    if tree is None or (holdings.live == order.release.commit and not record.is_unsettled()):
        return layout.flip(order.release)  # refuses; or notes another tag of the same release
    well = holdings.previous if record.is_unsettled() else holdings.live
    site = Site(repo, host, order.group, tree, layout.tree(well) if well else None)
    facts: dict[str, Any] = {}
    try:
        steps.run(_steps(order, site, layout, record, facts))
    except DeployError as error:
        _tell_whether_depooled(error, steps)
        raise
    return facts


def _steps(order: Order, site: Site, layout: Layout, record: Record, facts: dict[str, Any]) -> list[Step]:
    repo, release = site.repo, order.release
    known = (*repo.checks, *checkpoints.of_release(layout, repo, release.commit))
    back = order.stage == ROLLBACK

    def flip() -> str:
        facts.update(layout.flip(release))
        return release.tag

    return [
        *(checkpoints.at("before rollback", known, site) if back else ()),
        *checkpoints.at("before checkout", known, site),
        Step("flip", "begin", lambda: record.begin_switch(release.commit)),
        *checkpoints.hook(repo.depool, site),
        Step("flip", "flip", flip),
        *checkpoints.calls(repo.checkout_calls, site),
        *checkpoints.at("after checkout", known, site),
        *checkpoints.at("before restart", known, site),
        *services.steps(repo.restart, site.host, site.place),
        *checkpoints.at("after restart", known, site),
        *(checkpoints.at("after rollback", known, site) if back else ()),
        *checkpoints.hook(repo.repool, site),
        Step("flip", "settle", record.settle),
    ]


def _tell_whether_depooled(error: DeployError, steps: Steps) -> None:
    """Say so in the answer when nobody sends this host work any more."""
    pooled_again = steps.status("repool") == OK
    if steps.status("depool") == OK and not pooled_again:
        error.cause += "; this host is left depooled"
    elif steps.status("depool") == FAILED:
        error.cause += "; this host may be left depooled"
