"""The switch: a link changes in one step, and nothing that is found in its place is deleted."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from saltdeploy.lib import disk

#: link -> .live.deploy/slots/0, and beside it slots/1
SLOTS = ".live.deploy/slots"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A directory with two releases; ``live`` shows none of them yet."""
    for number in "01":
        slot = tmp_path / SLOTS / number
        slot.mkdir(parents=True)
        (slot / "release").write_text(number)
    return tmp_path


def flip(host: Path, number: int) -> str:
    return disk.switch_link(host / "live", host / SLOTS / str(number))


def shown(host: Path) -> str:
    return (host / "live" / "release").read_text()


# -- the switch -----------------------------------------------------------------------------------------


def test_a_flip_shows_the_new_release_and_nothing_is_left_beside_it(host: Path) -> None:
    assert flip(host, 0) == ""
    assert shown(host) == "0"
    assert flip(host, 1) == ""
    assert shown(host) == "1"
    assert sorted(os.listdir(host)) == [".live.deploy", "live"]


def test_readers_never_miss_the_link_while_it_is_flipped(host: Path) -> None:
    """One rename: there is no moment without the link, whoever looks."""
    flip(host, 0)
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(shown(host))

    readers = [threading.Thread(target=_noting(read, seen)) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round_ in range(300):
        flip(host, round_ % 2)
    done.set()
    for reader in readers:
        reader.join()
    assert seen <= {"0", "1"}


def _noting(read: Callable[[], None], seen: set[str]) -> Callable[[], None]:
    def run() -> None:
        try:
            read()
        except OSError as error:
            seen.add(str(error))

    return run


def test_the_link_holds_when_its_parent_is_moved(host: Path) -> None:
    flip(host, 0)
    moved = host.rename(host.with_name("moved"))
    assert shown(moved) == "0"


def _directory(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "theirs").write_text("precious")


def _file(path: Path) -> None:
    path.write_text("precious")


def _foreign_link(path: Path) -> None:
    path.symlink_to("/somewhere/else")


def _broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))


FOUND = [_directory, _file, _foreign_link, _broken_link, _socket]


def look(path: Path) -> object:
    if path.is_symlink():
        return os.readlink(path)
    if path.is_dir():
        return sorted(each.name for each in path.rglob("*"))
    return os.lstat(path).st_ino


@pytest.mark.parametrize("exchange", [True, False], ids=["the kernel exchanges", "no exchange"])
@pytest.mark.parametrize("put", FOUND, ids=lambda put: put.__name__)
def test_what_is_found_in_place_of_the_link_is_kept_under_a_name_with_the_time(
    host: Path, put: Callable[[Path], None], exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(host)
    if not exchange:  # a stand-in for file systems that cannot do it
        monkeypatch.setattr(disk, "_exchange", lambda one, other: False)
    put(host / "live")
    before = look(host / "live")
    kept = Path(flip(host, 0))
    assert shown(host) == "0"
    assert re.fullmatch(r"live\.\d{8}T\d{6}Z", kept.name)
    assert look(kept) == before
    assert sorted(os.listdir(host)) == sorted([".live.deploy", "live", kept.name])


def test_a_second_find_within_a_second_is_kept_too(host: Path) -> None:
    kept = []
    for _ in range(3):
        (host / "live").unlink(missing_ok=True)
        _file(host / "live")
        kept.append(flip(host, 0))
    assert len(set(kept)) == 3
    assert all(Path(each).read_text() == "precious" for each in kept)


def test_what_an_interrupted_exchange_left_is_kept(host: Path) -> None:
    """Killed between the exchange and the rename: what was at ``live`` lies where the next link is made."""
    _directory(host / ".live.deploy-next")
    (host / "live").symlink_to(f"{SLOTS}/0")
    kept = Path(flip(host, 1))
    assert (kept / "deep" / "theirs").read_text() == "precious"
    assert shown(host) == "1"


def test_a_link_that_an_interrupted_flip_left_is_in_nobodys_way(host: Path) -> None:
    flip(host, 0)
    (host / ".live.deploy-next").symlink_to("nowhere")
    assert flip(host, 1) == ""
    assert shown(host) == "1"
    assert sorted(os.listdir(host)) == [".live.deploy", "live"]


@pytest.mark.parametrize("exchange", [True, False], ids=["the kernel exchanges", "no exchange"])
def test_a_directory_takes_the_place_of_another(
    tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(disk, "_exchange", lambda one, other: False)
    for name in ("new", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    kept = Path(disk.install(tmp_path / "new", tmp_path / "place"))
    assert (tmp_path / "place" / "which").read_text() == "new"
    assert (kept / "which").read_text() == "place"
    assert not (tmp_path / "new").exists()
