"""What a host logs while it does a stage comes to the master with its answer, and stands in the journal of the deploy."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol import events
from saltdeploy.watch.deploy_log import DeployLog

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import REPO, Fleet


def lines_of(root: Path) -> list[str]:
    """The lines of hosts' own logs in the log of the newest deploy."""
    log, journals = DeployLog("deploy1"), Journals(root)
    told = replay(journals.path(REPO, journals.latest(REPO)))
    found = [
        record for event in told if event["event"] not in events.JOURNAL_ONLY for record in log.hear(event)
    ]
    return [f"{one.host} {one.stage}: {one.message}" for one in found if one.name.endswith(".log")]


@pytest.mark.parametrize(
    ("level", "has"), [(logging.INFO, True), (logging.WARNING, False)], ids=["info", "warning"]
)
def test_a_switch_that_a_host_logs_stands_in_the_log_of_the_deploy_as_its_level_lets_it(
    tmp_path: Path, level: int, has: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = Fleet(tmp_path, Source(tmp_path / "source.git", *(tree(a=str(n)) for n in range(2))))
    with caplog.at_level(level, "saltdeploy"):
        fleet.sync("v1")
    found = [line for line in lines_of(fleet.root) if f"{REPO}: v1 is live at " in line]
    assert bool(found) is has
    assert all(" checkout: " in line for line in found)
