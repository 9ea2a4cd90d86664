"""A master above this one deploys through a minion that lives beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saltfactories.daemons.master import SaltMaster

from tests.integration.factories import Factories
from tests.integration.fleet import MINION, PATIENCE, Fleet, Run
from tests.integration.repo import Repo
from tests.integration.rollouts import IS_WELL, unwell

LOWER = "lower1"
_UPPER = {"open_mode": True, "worker_threads": 1, "log_level_logfile": "warning"}


class Upper:
    """A master of its own, whose one minion runs the runners of the fleet's master."""

    def __init__(self, master: SaltMaster) -> None:
        self._master = master

    def ask(self, function: str, **named: Any) -> Run:
        """``salt lower1 saltutil.runner deploy.<function>``: its answer, and the command's exit status."""
        command = self._master.salt_cli(timeout=PATIENCE)
        done = command.run("saltutil.runner", f"deploy.{function}", kwarg=named, minion_tgt=LOWER)
        return Run(done.returncode, done.data, done.stderr)


@pytest.fixture(scope="module")
def upper(factories: Factories, fleet: Fleet) -> Iterator[Upper]:
    master = factories.salt_master_daemon("upper", overrides=_UPPER)
    minion = master.salt_minion_daemon(LOWER, overrides=MINION)
    # as in /etc/salt, where both configurations lie side by side
    Path(minion.config_file).with_name("master").symlink_to(fleet.opts["conf_file"])
    with master.started(), minion.started():
        yield Upper(master)


@pytest.mark.repo(checks={"well": IS_WELL})
def test_a_deploy_ends_at_the_upper_master_as_it_ended_below(upper: Upper, repo: Repo) -> None:
    done = upper.ask("sync", repo=repo.name, tag="v1")
    assert (done.status, done.data["outcome"], done.data["success"]) == (0, "CONVERGED", True), done
    assert repo.on_disk() == repo.everywhere("v1")
    with unwell(repo, "web2"):
        failed = upper.ask("sync", repo=repo.name, tag="v2")
    assert (failed.status, failed.data["outcome"], failed.data["success"]) == (1, "ROLLED BACK", False), (
        failed
    )
    assert failed.data["unwell"] == ["web2"]
    assert repo.on_disk() == repo.everywhere("v1")
