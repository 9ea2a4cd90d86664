"""A web server as a carrier: what is there is not fetched again, and no server can keep us, or fill our disk."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import pytest
import trustme
from saltdeploy.download.http import Http
from saltdeploy.git.repository import no_progress
from saltdeploy.lib.errors import Unavailable
from saltdeploy.lib.rate_limit import Limits
from saltdeploy.protocol.fanout import FanoutServer

from tests.support.payloadserver import DATA, PAYLOAD, PayloadServer, Request
from tests.unit.conftest import SmallDisk

#: A server that is silent for good is left at once: no test waits for what cannot come.
IMPATIENT = Limits(connect=5, answer=0.3, silence=0.3, least=1e6, window=0.3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def fetch(server: PayloadServer, file: Path, limits: Limits = Limits(), ca_bundle: str = "") -> None:  # noqa: B008
    Http(FanoutServer(server.url), limits, ca_bundle).fetch(PAYLOAD, file, no_progress)


def test_a_payload_is_fetched_by_its_digest(server: PayloadServer, file: Path) -> None:
    told = []
    Http(FanoutServer(server.url)).fetch(PAYLOAD, file, lambda *words: told.append(words))
    assert file.read_bytes() == DATA
    assert server.asked == [(f"/payloads/{PAYLOAD.sha256}", "")]
    assert told[-1] == ("receive", PAYLOAD.size, PAYLOAD.size, "bytes")


def test_what_is_there_is_not_fetched_again(server: PayloadServer, file: Path) -> None:
    file.write_bytes(DATA[:1_234_567])
    fetch(server, file)
    assert file.read_bytes() == DATA
    assert [asked for _, asked in server.asked] == ["bytes=1234567-"]


def test_what_is_there_whole_is_not_asked_for(server: PayloadServer, file: Path) -> None:
    file.write_bytes(DATA)
    fetch(server, file)
    assert server.asked == []


def test_a_server_without_ranges_sends_all_of_it(server: PayloadServer, file: Path) -> None:
    file.write_bytes(b"x" * 1_234_567)
    server.answer = lambda request: request.send(200, DATA)
    fetch(server, file)
    assert file.read_bytes() == DATA


def test_a_file_that_is_too_long_is_none_of_the_payload(server: PayloadServer, file: Path) -> None:
    file.write_bytes(DATA + b"more")
    fetch(server, file)
    assert file.read_bytes() == DATA


def test_what_came_before_a_server_broke_off_is_gone_on_with(server: PayloadServer, file: Path) -> None:
    server.answer = server.breaks_off
    with pytest.raises(Unavailable, match="before the end"):
        fetch(server, file)
    server.answer = server.well
    fetch(server, file)
    assert file.read_bytes() == DATA
    assert server.asked[-1][1] == "bytes=1000000-"


@pytest.mark.parametrize("way", ["is_silent", "falls_silent", "trickles", "trickles_headers"])
def test_a_server_that_sends_too_little_is_left(server: PayloadServer, file: Path, way: str) -> None:
    server.answer = getattr(server, way)
    with pytest.raises(Unavailable) as caught:
        fetch(server, file, IMPATIENT)
    assert caught.value.path == server.url


def wrong(status: int, data: bytes = b"", **headers: object) -> object:
    def answer(request: Request) -> None:
        request.send(status, data, **headers)

    return answer


SPAN = f"bytes 1000000-{PAYLOAD.size - 1}/{PAYLOAD.size}"


@pytest.mark.parametrize(
    "answer",
    {
        "it does not have it": wrong(404),
        "it is broken": wrong(500),
        "it sends us elsewhere": wrong(302, Location="http://127.0.0.1/"),
        "more": wrong(200, DATA + b"x"),
        "less": wrong(200, DATA[:-1]),
        "nothing": wrong(200),
        "as much as it likes": wrong(200, DATA, Content_Length=None),
        "in chunks": wrong(200, b"1\r\nx\r\n0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked"),
        "a range of nothing": wrong(206, DATA[1_000_000:]),
        "another range": wrong(206, DATA[999_999:], Content_Range=f"bytes 999999-{PAYLOAD.size - 1}/{PAYLOAD.size}"),
        "a range of something longer": wrong(206, DATA[1_000_000:], Content_Range=f"{SPAN}0"),
        "a longer range": wrong(206, DATA[1_000_000:] + b"x", Content_Range=SPAN),
        "no range": wrong(416),
    }.items(),
    ids=lambda answer: answer[0],
)  # fmt: skip
def test_a_server_that_answers_wrongly_is_left_and_what_was_there_stays(
    server: PayloadServer, file: Path, answer: tuple[str, object]
) -> None:
    file.write_bytes(DATA[:1_000_000])
    server.answer = answer[1]  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        fetch(server, file)
    assert file.read_bytes() == DATA[:1_000_000]


def test_no_more_is_written_than_the_payload_has(server: PayloadServer, file: Path) -> None:
    """A server that says one length and sends more."""
    server.answer = wrong(200, DATA + b"more", Content_Length=len(DATA))  # type: ignore[assignment]
    fetch(server, file)
    assert file.stat().st_size == PAYLOAD.size


def test_nobody_who_speaks_something_else_is_understood(server: PayloadServer, file: Path) -> None:
    server.answer = lambda request: request.wfile.write(b"220 mail.example.org ESMTP\r\n")  # type: ignore[assignment,func-returns-value]
    with pytest.raises(Unavailable):
        fetch(server, file)
    assert not file.exists()


def test_a_server_that_is_away_is_named(server: PayloadServer, file: Path) -> None:
    with PayloadServer().running() as away:
        pass
    with pytest.raises(Unavailable) as caught:
        fetch(away, file)
    assert caught.value.path == away.url


def test_no_thread_is_left(server: PayloadServer, file: Path) -> None:
    before = {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}
    fetch(server, file)
    for thread in set(threading.enumerate()) - before:
        if isinstance(thread, threading.Timer):
            thread.join(5)
            assert not thread.is_alive()


# -- TLS ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(
    ("name", "known", "fine"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("elsewhere.example.org", True, False)],
    ids=["its own, by a known authority", "by an unknown authority", "another host's"],
)
def test_a_server_must_show_a_certificate_for_its_name(
    authority: trustme.CA, tmp_path: Path, file: Path, name: str, known: bool, fine: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    bundle = tmp_path / "authorities"
    (authority if known else trustme.CA()).cert_pem.write_to_path(bundle)
    with PayloadServer().running(context) as server:
        if fine:
            fetch(server, file, ca_bundle=str(bundle))
            assert file.read_bytes() == DATA
            return
        with pytest.raises(Unavailable, match="certificate"):
            fetch(server, file, ca_bundle=str(bundle))
    assert not file.exists()


# -- our own disk ---------------------------------------------------------------------------------------


@pytest.mark.small_disk
def test_a_full_disk_is_not_the_servers_fault(server: PayloadServer, disk: SmallDisk) -> None:
    disk.change("size=1m")
    with pytest.raises(OSError, match="No space left"):
        fetch(server, disk.path / "file")
