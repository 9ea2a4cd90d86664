"""Salt's file channel as a carrier: what it brings, what it tells on the way, what it says when it brings nothing."""

from __future__ import annotations

import contextvars
import threading
from pathlib import Path

import pytest
from saltdeploy.download.salt import SaltFiles
from saltdeploy.lib.errors import Unavailable
from saltdeploy.protocol.orders import Payload

PAYLOAD = Payload("", "d" * 64, 6)
Told = list[tuple[str, int, int, str]]


def fetch(get_file: object, place: Path) -> Told:
    told: Told = []
    SaltFiles(get_file).fetch(PAYLOAD, place / "file", lambda *words: told.append(words))  # type: ignore[arg-type]
    return told


def test_a_payload_is_asked_for_by_its_digest(tmp_path: Path) -> None:
    asked = []

    def get_file(url: str, path: str) -> str:
        asked.append(url)
        Path(path).write_bytes(b"packed")
        return path

    told = fetch(get_file, tmp_path)
    assert asked == [f"salt://deploy/{'d' * 64}"]
    assert (tmp_path / "file").read_bytes() == b"packed"
    assert told[-1] == ("receive", 6, 6, "bytes")


def test_a_file_that_grows_is_told_while_it_does(tmp_path: Path) -> None:
    half_told = threading.Event()
    told: Told = []

    def progress(*words: object) -> None:
        told.append(words)  # type: ignore[arg-type]
        half_told.set()

    def get_file(url: str, path: str) -> str:
        Path(path).write_bytes(b"pac")
        half_told.wait()
        Path(path).write_bytes(b"packed")
        return path

    SaltFiles(get_file).fetch(PAYLOAD, tmp_path / "file", progress)
    assert told[0] == ("receive", 3, 6, "bytes")


def test_whoever_tells_on_the_way_sees_what_salt_keeps_for_this_job(tmp_path: Path) -> None:
    """Salt holds its dunders in context variables; progress is sent by a thread that has to inherit them."""
    job: contextvars.ContextVar[str] = contextvars.ContextVar("job", default="none")
    job.set("this one")
    seen: list[str] = []
    heard = threading.Event()

    def progress(*_: object) -> None:
        seen.append(job.get())
        heard.set()

    def get_file(url: str, path: str) -> str:
        Path(path).write_bytes(b"pac")
        heard.wait()
        return path

    SaltFiles(get_file).fetch(PAYLOAD, tmp_path / "file", progress)
    assert set(seen) == {"this one"}


@pytest.mark.parametrize("answer", ["", False, None])
def test_a_master_that_serves_nothing_names_the_setting_to_look_at(tmp_path: Path, answer: object) -> None:
    with pytest.raises(Unavailable) as caught:
        fetch(lambda url, path: answer, tmp_path)
    assert "d" * 64 in caught.value.cause
    assert "deploy_payloads" in caught.value.next
    assert "fileserver_backend" in caught.value.next


def test_a_path_without_a_file_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        fetch(lambda url, path: path, tmp_path)


def test_an_error_of_salts_is_an_answer(tmp_path: Path) -> None:
    class SaltReqTimeoutError(Exception):
        """As Salt's own, which the package does not know."""

    def get_file(url: str, path: str) -> str:
        raise SaltReqTimeoutError("Message timed out")

    with pytest.raises(Unavailable, match="SaltReqTimeoutError: Message timed out"):
        fetch(get_file, tmp_path)


def test_a_full_disk_stays_what_it_is(tmp_path: Path) -> None:
    def get_file(url: str, path: str) -> str:
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"packed")
        return path

    with pytest.raises(OSError, match="No space left"):
        fetch(get_file, tmp_path)


@pytest.mark.parametrize("ends_well", [True, False])
def test_nobody_watches_a_file_that_is_done(tmp_path: Path, ends_well: bool) -> None:
    before = threading.active_count()

    def get_file(url: str, path: str) -> str:
        if not ends_well:
            raise OSError("broken")
        Path(path).write_bytes(b"packed")
        return path

    try:
        fetch(get_file, tmp_path)
    except OSError:
        assert not ends_well
    assert threading.active_count() == before


@pytest.mark.parametrize(("data", "asks_again"), [(b"packed", False), (b"pack", True), (b"", True)])
def test_a_small_payload_comes_by_one_request_where_the_master_gives_it_at_once(
    tmp_path: Path, data: bytes, asks_again: bool
) -> None:
    asked: list[str] = []

    def get_file(url: str, path: str) -> str:
        asked.append(url)
        Path(path).write_bytes(b"packed")
        return path

    def get_small(path: str) -> bytes:
        assert path == f"deploy/{'d' * 64}"
        return data

    told: Told = []
    SaltFiles(get_file, get_small).fetch(PAYLOAD, tmp_path / "file", lambda *words: told.append(words))
    assert (tmp_path / "file").read_bytes() == b"packed"
    assert told[-1] == ("receive", 6, 6, "bytes")
    assert bool(asked) == asks_again
