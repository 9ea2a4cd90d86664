"""Which deploys are without a process, and how often somebody should go on with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.running.auto_resume import TOO_OLD, DeadDeploy, DeadDeploys
from saltdeploy.protocol import events

from tests.support.stores import Directory, store
from tests.unit.master.masters import NOON, Clock, Master, person

FIRST, SECOND = "20261123110000000000", "20261123113000000000"
BEGUN, DECIDED, ENDED = events.STARTED, events.PLANNED, events.FINISHED
DIED = (BEGUN, DECIDED, events.ASKED)

__all__ = ["store"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The master's directory for deploys."""
    return tmp_path / "master"


def journal(root: Path, *told: str, repo: str = "mediawiki", deploy: str = FIRST, time: float = NOON) -> Path:
    with Journals(root).write(repo, deploy) as writer:
        for name in told:
            writer.append({"event": name, "time": time})
    return Journals(root).path(repo, deploy)


def due(root: Path, now: float = NOON) -> list[str]:
    return [orphan.deploy for orphan in DeadDeploys(root, patience=60).due(now)]


def test_a_deploy_without_end_and_without_process_is_an_orphan(root: Path) -> None:
    journal(root, *DIED, repo="mediawiki/slot0")
    assert DeadDeploys(root, patience=60).due(NOON) == [DeadDeploy("mediawiki/slot0", FIRST)]


@pytest.mark.parametrize(
    "told", [(*DIED, ENDED), (), (BEGUN,)], ids=["it ended", "it told nothing", "it had decided nothing"]
)
def test_where_there_is_nothing_to_go_on_with_there_is_no_orphan(root: Path, told: tuple[str, ...]) -> None:
    journal(root, *told)
    assert not due(root)


def test_where_nothing_was_ever_deployed_there_is_no_orphan(root: Path) -> None:
    assert not due(root)


def test_a_deploy_that_runs_is_no_orphan_until_its_process_is_gone(root: Path, store: Directory) -> None:
    journal(root, *DIED)
    with Master(root, store, Clock()).locks.hold("mediawiki", (), person("alice")):
        assert not due(root)
    assert due(root) == [FIRST]


def test_a_deploy_that_a_newer_one_has_overtaken_is_left_alone(root: Path) -> None:
    journal(root, *DIED)
    journal(root, *DIED, ENDED, deploy=SECOND)
    assert not due(root)


def test_a_deploy_of_yesterday_is_left_to_people(root: Path) -> None:
    journal(root, *DIED)
    assert due(root, NOON + TOO_OLD - 1) == [FIRST]
    assert not due(root, NOON + TOO_OLD)


def test_a_record_that_was_torn_by_the_crash_changes_nothing(root: Path) -> None:
    path = journal(root, *DIED)
    with open(path, "ab") as file:
        file.write(b"\x82\xa5event")
    assert due(root) == [FIRST]


def test_an_orphan_is_given_out_later_and_later(root: Path) -> None:
    journal(root, *DIED)
    orphans = DeadDeploys(root, patience=60)
    given = [second for second in range(0, 20_000, 10) if orphans.due(NOON + second)]
    assert given == [0, 60, 180, 420, 900, 1860, 3780, 7380, 10_980, 14_580, 18_180]


def test_two_repos_do_not_wait_for_each_other(root: Path) -> None:
    journal(root, *DIED)
    orphans = DeadDeploys(root, patience=60)
    assert orphans.due(NOON)
    journal(root, *DIED, repo="parsoid", deploy=SECOND)
    assert orphans.due(NOON + 1) == [DeadDeploy("parsoid", SECOND)]


def test_a_deploy_that_dies_each_time_is_not_tried_without_a_pause(root: Path, store: Directory) -> None:
    journal(root, *DIED)
    orphans = DeadDeploys(root, patience=60)
    assert orphans.due(NOON)
    with Master(root, store, Clock()).locks.hold("mediawiki", (), person("engine")):
        assert not orphans.due(NOON + 10)
    assert not orphans.due(NOON + 20)
    assert orphans.due(NOON + 60)


def test_a_deploy_that_has_ended_is_not_read_again(root: Path) -> None:
    path = journal(root, *DIED, ENDED)
    orphans = DeadDeploys(root, patience=60)
    assert not orphans.due(NOON)
    path.write_bytes(b"")
    journal(root, *DIED)
    assert not orphans.due(NOON)


def test_a_deploy_of_several_repos_is_one_orphan(root: Path) -> None:
    journal(root, *DIED)
    with Journals(root).write("mediawiki", FIRST, ["a-first-name", "l10n"]):
        pass
    assert DeadDeploys(root, patience=60).due(NOON) == [DeadDeploy("mediawiki", FIRST)]
