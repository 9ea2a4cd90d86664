"""Whoever knocks at the warm door, however rude: who may come in is served, and nothing else changes."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltclient import places, wire

from tests.support.doors import RunningDoor, begin, listening, wait_for
from tests.support.nobody import as_nobody

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory like the master's own: everybody may enter, nobody else may write."""
    with tempfile.TemporaryDirectory(prefix="door-", dir="/tmp") as name:  # the path of a socket is short
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def door(directory: Path) -> Iterator[RunningDoor]:
    with listening(directory / places.NAME) as found:
        yield found


def serves(door: RunningDoor) -> bool:
    status, shown = door.ask("deploy.versions", "repo=a")
    return status == 0 and shown.startswith("versions repo=a for ")


def frame(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def test_a_command_is_carried_out_on_the_streams_of_who_asks(door: RunningDoor) -> None:
    assert serves(door)
    assert door.ask("deploy.fail")[0] == 7


@AS_ROOT
def test_only_root_is_believed_to_have_been_called_by_sudo(door: RunningDoor) -> None:
    assert door.ask("deploy.versions", SUDO_USER="alice")[1] == "versions for sudo_alice\n"


GARBAGE = {
    "no JSON": frame(b"{{{{"),
    "no object": frame(b"[]"),
    "deeper than anybody reads": frame(b"[" * 60_000),
    "another protocol": b"GET / HTTP/1.1\r\n\r\n",
    "longer than allowed": struct.pack(">I", wire.MOST_BYTES + 1),
    "as long as can be": b"\xff" * 5000,
    "a function of another runner": wire.pack({"words": ["cmd.run", "id"], "options": [], "environment": {}}),
    "no words": wire.pack({"words": [], "options": [], "environment": {}}),
    "words of another kind": wire.pack({"words": ["deploy.sync", 1], "options": [], "environment": {}}),
    "an option that writes": wire.pack(
        {"words": ["deploy.locks"], "options": ["--out-file=/etc/passwd"], "environment": {}}
    ),
    "another environment": wire.pack(
        {"words": ["deploy.locks"], "options": [], "environment": {"LD_PRELOAD": "x"}}
    ),
    "no streams": wire.pack({"words": ["deploy.locks"], "options": [], "environment": {}}),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_what_is_no_request_is_refused_and_the_next_one_is_served(door: RunningDoor, what: str) -> None:
    with door.enter() as rude:
        rude.sendall(GARBAGE[what])
        assert door.refused(rude)
    assert serves(door)


def test_more_streams_than_three_are_not_kept(door: RunningDoor) -> None:
    held = len(os.listdir(f"/proc/{door.process.pid}/fd"))
    for _ in range(20):
        with door.enter() as rude, open(os.devnull) as null:
            socket.send_fds(rude, [b"\0"], [null.fileno()] * 200)
            assert "streams" in door.refused(rude)
    wait_for(lambda: len(os.listdir(f"/proc/{door.process.pid}/fd")) <= held)
    assert serves(door)


def test_who_is_silent_is_let_go(door: RunningDoor) -> None:
    with door.enter() as silent:
        assert serves(door), "meanwhile others are served"
        assert "no request came" in door.refused(silent)


def test_many_who_are_silent_shut_the_door_for_seconds_and_no_longer(door: RunningDoor) -> None:
    crowd = [door.knock() for _ in range(300)]
    wait_for(lambda: len(os.listdir(f"/proc/{door.process.pid}/fd")) < 60)  # more are not kept

    def is_served() -> bool:
        try:
            return serves(door)
        except (AssertionError, OSError):
            return False

    wait_for(is_served)
    for each in crowd:
        each.close()
    assert serves(door)


@AS_ROOT
def test_a_crowd_of_users_without_rights_holds_up_nobody(door: RunningDoor) -> None:
    crowd = []

    def flood() -> int:
        for _ in range(500):
            crowd.append(door.knock())
            with contextlib.suppress(OSError):  # it has refused us already
                crowd[-1].sendall(b"\xff" * 1000)
        print(door.refused(door.knock()))
        return 0 if len(crowd) == 500 else 1

    said = as_nobody(flood)
    assert "nobody may not use the deploy command" in said.out, said
    assert serves(door)


def test_who_does_not_read_holds_up_only_what_they_asked_for(door: RunningDoor) -> None:
    read, write = os.pipe()
    slow = door.enter()
    begin(slow, ["deploy.talk"], write)
    os.close(write)
    assert serves(door)
    slow.close()  # its process is stuck in writing, and must end all the same
    with open(read, "rb") as shown:
        wait_for(lambda: _is_closed(shown.fileno()))


def _is_closed(read: int) -> bool:
    """Whether nobody has the other end of a pipe open, once what was written is read."""
    os.set_blocking(read, False)
    try:
        while os.read(read, 65_536):
            pass
    except BlockingIOError:
        return False
    return True


def test_who_hangs_up_ends_what_they_asked_for(door: RunningDoor) -> None:
    read, write = os.pipe()
    keep, hold = os.pipe()
    with door.enter() as leaving:
        request = wire.pack({"words": ["deploy.wait"], "options": [], "environment": {}})
        socket.send_fds(leaving, [request], [keep, write, write])
        os.close(write)
        assert os.read(read, 100).startswith(b"wait")
    with open(read, "rb") as shown:
        wait_for(lambda: _is_closed(shown.fileno()))
    os.close(keep)
    os.close(hold)


@pytest.mark.parametrize("there", ["a link to a file", "a link to nothing", "a file", "an old socket"])
def test_what_lies_in_its_place_is_replaced_and_never_followed(directory: Path, there: str) -> None:
    victim, place = directory / "victim", directory / places.NAME
    victim.write_text("precious")
    victim.chmod(0o600)
    if there == "a file":
        place.write_text("in the way")
    elif there == "an old socket":
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(str(place))
    else:
        place.symlink_to(victim if there == "a link to a file" else directory / "missing")
    with listening(place) as door:
        assert stat.S_ISSOCK(place.lstat().st_mode)
        assert serves(door)
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("precious", 0o600)
    assert not (directory / "missing").exists()


def test_a_new_listener_takes_the_place_and_the_old_one_ends_without_it(door: RunningDoor) -> None:
    with listening(door.place) as new:
        assert door.process.wait(30) == 0
        assert serves(new)


def test_a_listener_ends_when_what_it_has_loaded_is_replaced(door: RunningDoor) -> None:
    with door.enter():
        door.stale.touch()
        with door.knock() as late:
            assert late.recv(1) == b"", "nobody new is greeted"
        assert door.process.wait(30) == 0
    assert not door.place.exists()


@AS_ROOT
def test_a_command_asks_nobody_who_has_put_up_a_socket_of_their_own(directory: Path) -> None:
    open_to_all = directory / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    place = open_to_all / places.NAME

    def impostor() -> int:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place))
        listener.listen()
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(place))
            print(places.is_of_the_master(asking, str(place)))
        return 0

    assert as_nobody(impostor).out == "False\n"
