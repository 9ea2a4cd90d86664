"""F57: hosts have seen the epoch of another master: a deploy says so, changes nothing, and names the way past it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from saltdeploy.lib.forcing import EPOCH, Force, guards
from saltdeploy.lib.readers import Given

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet

OTHERS = "20991231235959000000"  # the deploy of a master whose clock is ahead
FAR = 4_102_444_799_000_000


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Two hosts on v0, which another master has deployed to since, long after now by its clock."""
    fleet = Fleet(tmp_path, Source(tmp_path / "source.git", *(tree(a=str(n)) for n in range(4))))
    assert str(fleet.sync("v0").outcome) == "CONVERGED 2/2"
    for minion in fleet.minions.values():
        (record,) = minion.cache.rglob("record.json")
        record.write_text(json.dumps({**json.loads(record.read_text()), "epoch": FAR, "deploy": OTHERS}))
    return fleet


@pytest.mark.parametrize("force", [False, True])
def test_F57_whose_deploy_has_overtaken_is_said_with_the_command_that_goes_past_it(
    fleet: Fleet, force: Force
) -> None:
    report = fleet.sync("v1", force=force)
    assert str(report.outcome) == "HELD 0/2"
    assert f"has seen epoch {FAR} of deploy {OTHERS}" in report.outcome.reason
    look, _, way = report.next.partition("; if neither this master nor another one deploys it now: ")
    assert look == f"salt-run deploy.report repo={REPO}"
    assert way == f"salt-run deploy.sync repo={REPO} tag=v1 force=epoch"


def test_F57_the_command_that_is_named_goes_past_it_and_the_next_deploy_needs_it_no_more(
    fleet: Fleet,
) -> None:
    words = dict(word.split("=", 1) for word in shlex.split(fleet.sync("v1").next)[-3:])
    force = guards(Given(words["force"]))
    assert force == (EPOCH,)
    assert str(fleet.sync(words["tag"], force=force).outcome) == "CONVERGED 2/2"
    fleet.converges()
    assert str(fleet.roll_back("v1").outcome) == "CONVERGED 2/2"


def test_F57_no_epoch_is_raised_where_nobody_says_so(fleet: Fleet) -> None:
    before = [int(path.read_text()) for path in fleet.root.rglob(".epochs/*.json")]
    fleet.sync("v1", force=True)
    after = [int(path.read_text()) for path in fleet.root.rglob(".epochs/*.json")]
    assert before < after < [FAR]
