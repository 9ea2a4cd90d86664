"""The password of a source's URL reaches the server, and nobody who looks at the processes of the host."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from saltdeploy.git.credentials import apart
from saltdeploy.git.repository import Repository
from saltdeploy.lib.errors import Unavailable

PASSWORD = "s3cr3t@word"
QUOTED = "s3cr3t%40word"


def arguments_of_all() -> bytes:
    """What ``ps`` shows."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return b"\n".join(found)


class Asked(BaseHTTPRequestHandler):
    """Has nothing; notes who asked, and what everybody saw meanwhile."""

    heard: list[tuple[str, bytes]] = []

    def do_GET(self) -> None:
        self.heard.append((self.headers.get("Authorization", ""), arguments_of_all()))
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Asked.heard = []
    with HTTPServer(("127.0.0.1", 0), Asked) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_F43_git_sends_the_password_and_shows_it_to_nobody(tmp_path: Path, server: HTTPServer) -> None:
    url = f"http://ann:{QUOTED}@127.0.0.1:{server.server_port}/wiki.git"
    repository = Repository(tmp_path / "mirror.git")
    repository.ensure()
    with pytest.raises(Unavailable) as caught:
        repository.fetch(url, "v1")
    word = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    assert Asked.heard and {said for said, _ in Asked.heard} == {f"Basic {word}"}
    for _, seen in Asked.heard:
        assert b"wiki.git" in seen, "git is seen"
        assert not any(secret.encode() in seen for secret in (PASSWORD, QUOTED, word))
    assert not any(secret in str(caught.value) for secret in (PASSWORD, QUOTED, word))


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/wiki",
        "https://ann@git.example.org/wiki",
        "git@git.example.org:wiki",
        "ssh://ann:x@git.example.org/wiki",
        "/srv/git/wiki.git",
        "https://[broken/wiki",
    ],
)
def test_F43_other_urls_stay_as_they_are(url: str) -> None:
    assert apart(url) == (url, {})
