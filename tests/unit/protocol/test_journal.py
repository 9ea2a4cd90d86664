"""A journal is read up to where it is whole, whatever dies in the middle of a record."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import DamagedFile
from saltdeploy.master.records.journal import Journals
from saltdeploy.protocol import events
from saltdeploy.protocol.journal import follow, is_whole, replay

from tests.support.journals import DEPLOY, event, write


@given(torn=st.integers(1, 60), rest=st.sampled_from([b"", b"\0" * 100, b"\xc1\xc1", b"\xff"]))
def test_a_record_that_a_crash_tore_is_passed_over_and_cut_off(
    tmp_path_factory: pytest.TempPathFactory, torn: int, rest: bytes
) -> None:
    root = tmp_path_factory.mktemp("root")
    path = write(root, 1)
    record = msgpack.packb(event(2))
    with open(path, "ab") as file:
        file.write(record[: min(torn, len(record) - 1)] + rest)
    assert list(replay(path))[:1] == [event(1)]
    write(root, 3)
    assert list(replay(path)) == [event(1), event(3)]


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert list(replay(tmp_path / "none")) == []


def ended() -> events.Event:
    return events.finished(DEPLOY, "demo", 1.0, tag="v1", outcome="HELD", ok=0, total=1, reason="", next="")


def test_following_replays_and_goes_on_until_the_end(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    to_come = [[event(2)], [], [event(3), ended()], [event(4)]]

    def pause(_: float) -> None:
        with Journals(tmp_path).write("demo", DEPLOY) as journal:
            for each in to_come.pop(0):
                journal.append(each)

    heard = [each for each in follow(path, lambda: True, pause) if each]
    assert heard == [event(1), event(2), event(3), ended()]


def test_following_ends_when_the_writer_has_died(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    assert list(follow(path, lambda: False, lambda _: None)) == [event(1)]


def test_a_record_that_was_torn_or_is_missing_is_told_from_a_whole_journal(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    assert is_whole(path)
    with open(path, "ab") as file:
        file.write(msgpack.packb(event(2))[:-1])
    assert not is_whole(path)
    assert not is_whole(tmp_path / "none")


def test_who_follows_what_is_no_journal_is_told_whose_it_is_and_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    path.write_bytes(b"\0" * 10)
    with pytest.raises(DamagedFile) as found:
        list(follow(path, lambda: False, lambda _: None, repo="demo"))
    assert (found.value.repo, found.value.path) == ("demo", str(path))
    assert f"mv -- {path} {path}.bad" in found.value.next
    assert "salt-run deploy.report repo=demo" in found.value.next


def test_a_directory_in_the_place_of_a_journal_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DamagedFile) as found:
        list(replay(tmp_path, repo="demo"))
    assert (found.value.repo, found.value.path) == ("demo", str(tmp_path))
