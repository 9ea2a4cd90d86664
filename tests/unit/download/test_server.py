"""The embedded server: payloads by their names, whole or in parts, and nothing else."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltdeploy.content.payloads import Payloads
from saltdeploy.download.http import Http
from saltdeploy.git.repository import no_progress
from saltdeploy.protocol.fanout import FanoutServer

from tests.support.payloadserver import DATA, PAYLOAD, embedded


@pytest.fixture
def place(tmp_path: Path) -> Path:
    aside = tmp_path / "aside"
    aside.write_bytes(DATA)
    Payloads(tmp_path / "payloads").add(PAYLOAD, aside)
    return tmp_path / "payloads"


@pytest.fixture
def url(place: Path) -> Iterator[str]:
    with embedded(place) as url:
        yield url


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(FanoutServer(url).parts.netloc, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read()
    connection.close()
    return found


def test_a_payload_is_served_by_its_name_and_may_be_kept_for_ever(url: str) -> None:
    status, headers, data = ask(url, f"/{PAYLOAD.sha256}")
    assert (status, data) == (200, DATA)
    assert "immutable" in headers["Cache-Control"]
    assert headers["Content-Type"] == "application/octet-stream"


def test_a_part_is_served(url: str, tmp_path: Path) -> None:
    status, headers, data = ask(url, f"/{PAYLOAD.sha256}", Range="bytes=2999990-")
    assert (status, data) == (206, DATA[-10:])
    file = tmp_path / "file"
    file.write_bytes(DATA[:1_000_000])
    Http(FanoutServer(url)).fetch(PAYLOAD, file, no_progress)
    assert file.read_bytes() == DATA


@pytest.mark.parametrize(
    "path",
    ["/", "//", "/pairs", "/..", f"/{'0' * 64}", f"/x/{PAYLOAD.sha256}", f"/{PAYLOAD.sha256}/", "/../secret",
     "/%2e%2e%2fsecret", f"/{PAYLOAD.sha256}%00", f"/{PAYLOAD.sha256.upper()}", "/.aside", "/%ff"],
)  # fmt: skip
def test_nothing_else_is_found(url: str, place: Path, path: str) -> None:
    (place / ".aside").write_bytes(b"half")
    (place.parent / "secret").write_bytes(b"secret")
    status, _, data = ask(url, path)
    assert status in (400, 404)
    assert b"half" not in data
    assert b"secret" not in data.replace(path.encode(), b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(url: str, method: str) -> None:
    assert ask(url, f"/{PAYLOAD.sha256}", method)[0] == 405


def test_what_is_wanted_is_not_old(url: str, place: Path) -> None:
    kept = place / PAYLOAD.sha256
    os.utime(kept, (1, 1))
    ask(url, f"/{PAYLOAD.sha256}", "HEAD")
    Payloads(place).collect(set(), 1000.0)
    assert kept.exists()


def test_many_can_ask_at_once(url: str, tmp_path: Path) -> None:
    files = [tmp_path / f"file{number}" for number in range(8)]
    threads = [
        threading.Thread(target=Http(FanoutServer(url)).fetch, args=(PAYLOAD, file, no_progress))
        for file in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {file.read_bytes() == DATA for file in files} == {True}
