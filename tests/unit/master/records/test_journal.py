"""A journal holds what was written into it, and is found by the names of its repos and its id."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltdeploy.lib.errors import BadName
from saltdeploy.master.records.journal import Journals, replay
from saltdeploy.protocol.journal import is_whole

from tests.support.journals import DEPLOY, event, write

LATER = "20261123101112000001"


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 2)
    write(tmp_path, 3)
    assert list(replay(path)) == [event(1), event(2), event(3)]


def test_an_event_can_be_read_as_soon_as_it_was_appended(tmp_path: Path) -> None:
    with Journals(tmp_path).write("demo", DEPLOY) as journal:
        journal.append(event(1))
        assert list(replay(Journals(tmp_path).path("demo", DEPLOY))) == [event(1)]


def test_the_newest_deploy_is_the_one_with_the_latest_id(tmp_path: Path) -> None:
    write(tmp_path, 1, deploy=LATER)
    write(tmp_path, 1)
    assert Journals(tmp_path).all("demo") == [DEPLOY, LATER]
    assert Journals(tmp_path).latest("demo") == LATER
    assert Journals(tmp_path).latest("other") == ""


def test_a_deploy_is_found_by_its_id_alone(tmp_path: Path) -> None:
    write(tmp_path, 1, repo="mediawiki/slot0")
    assert Journals(tmp_path).repo_of(DEPLOY) == "mediawiki/slot0"
    assert Journals(tmp_path).repo_of(LATER) == ""


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "*", "2026", f"{DEPLOY}/x", f"{DEPLOY}\n"])
def test_what_is_no_id_of_a_deploy_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadName):
        Journals(tmp_path).path("demo", name)
    with pytest.raises(BadName):
        Journals(tmp_path).repo_of(name)


def test_a_deploy_of_several_repos_has_one_journal_and_the_name_of_the_first(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    for number in (1, 2):  # it may be opened again
        with journals.write("demo/slot0", DEPLOY, ["l10n", "skins/all"]) as journal:
            journal.append(event(number))
    for repo in ("demo/slot0", "l10n", "skins/all"):
        assert list(replay(journals.path(repo, DEPLOY))) == [event(1), event(2)]
        assert journals.latest(repo) == DEPLOY
    assert journals.repo_of(DEPLOY) == "demo/slot0"


@contextmanager
def room_for(path: Path, more: int) -> Iterator[None]:
    """This process may make no file longer than that one is now, and so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_F34_a_record_that_has_no_room_is_taken_off_again_and_nothing_follows_it(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    with Journals(tmp_path).write("demo", DEPLOY) as journal:
        with room_for(path, 10), pytest.raises(OSError, match="File too large") as error:
            journal.append(event(2))
        assert error.value.filename == str(path)
        with pytest.raises(OSError, match="File too large"):
            journal.append(event(3))
    assert list(replay(path)) == [event(1)]
    assert is_whole(path)
    write(tmp_path, 4)
    assert list(replay(path)) == [event(1), event(4)]
