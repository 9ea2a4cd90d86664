"""Who looks twice a second sees what is new at once, and pays for what is old four times a minute."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltdeploy.master.records.journal import Journals
from saltdeploy.master.records.journal_list import ALL_EVERY, JournalList

from tests.support.journals import write

NOW = 1_800_000_000.0
A_DAY = 86_400.0


class Master:
    """A master's journals, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, NOW
        self.looks = 0

    def look(self) -> list[str]:
        return [path.stem for path in self.list()]

    def begin(self) -> None:
        self.list = JournalList(Journals(self.root), lambda: self.now)

    def deploy(self, number: int, repo: str = "demo", age: float = 0.0) -> Path:
        path = write(self.root, 1, repo=repo, deploy=f"2026112310111200{number:04d}")
        self.touch(path, age)
        return path

    def touch(self, path: Path, age: float = 0.0) -> None:
        os.utime(path, (self.now - age, self.now - age))

    def settle(self, age: float = A_DAY) -> None:
        """The directories were last changed so long ago."""
        for place in (self.root / "journal", *(self.root / "journal").iterdir()):
            self.touch(place, age)


@pytest.fixture
def master(tmp_path: Path) -> Master:
    found = Master(tmp_path)
    found.deploy(1, age=A_DAY)
    found.deploy(2)
    found.settle()
    found.begin()
    return found


def test_the_first_look_sees_all_and_the_next_ones_the_young(master: Master) -> None:
    assert len(master.look()) == 2
    master.now += 1
    assert master.look() == ["20261123101112000002"]
    master.now += ALL_EVERY
    assert len(master.look()) == 2


def test_a_new_journal_of_a_known_and_of_a_new_repo_is_seen_at_once(master: Master) -> None:
    master.look()
    for number, repo in ((3, "demo"), (4, "other")):
        master.now += 1
        master.deploy(number, repo)
        assert f"2026112310111200{number:04d}" in master.look()


def test_what_came_within_the_same_tick_as_the_last_look_is_not_missed(master: Master) -> None:
    master.look()
    master.deploy(3)
    master.settle(0.0)
    assert "20261123101112000003" in master.look()
    master.deploy(4)
    master.settle(0.0)  # the same time as before
    assert "20261123101112000004" in master.look()


def test_a_journal_that_is_deleted_is_gone_at_once(master: Master) -> None:
    path = Journals(master.root).path("demo", "20261123101112000002")
    master.look()
    path.unlink()
    assert master.look() == ["20261123101112000001"]


def test_a_clock_that_is_put_back_hides_nothing(master: Master) -> None:
    master.look()
    master.now -= A_DAY
    assert len(master.look()) == 2


def test_where_nothing_was_ever_deployed_there_is_nothing(tmp_path: Path) -> None:
    found = Master(tmp_path)
    found.begin()
    assert (found.look(), found.look()) == ([], [])
    found.deploy(1)
    assert found.look() == ["20261123101112000001"]


def test_it_says_whether_what_it_gave_were_all(master: Master) -> None:
    said = []
    for seconds in (0, 1, ALL_EVERY):
        master.now += seconds
        master.look()
        said.append(master.list.are_all)
    assert said == [True, False, True]
