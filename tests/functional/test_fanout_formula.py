"""The formula's fanout on a real nginx: it serves what is there, and fetches what is not, each piece once."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.client
import salt.config
from saltdeploy.content.payloads import Payloads, digest_of
from saltdeploy.download.http import Http
from saltdeploy.git.repository import no_progress
from saltdeploy.lib.errors import Unavailable
from saltdeploy.protocol.fanout import FanoutServer
from saltdeploy.protocol.orders import Payload

from tests.support.payloadserver import DATA, PAYLOAD, PayloadServer, accepts
from tests.support.serving import free_port, until

#: More than two of the slices in which nginx asks its origin.
LARGE = DATA * 3
SLICES = 3

MAIN = """
{user}
daemon off;
pid {place}/pid;
error_log {place}/error.log;
events {{ }}
http {{
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    include {place}/site;
}}
"""


class Nginx:
    """An nginx with the formula's site."""

    def __init__(self, place: Path, checkout: Path) -> None:
        if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.fail("nginx is not installed. Next: apt-get install nginx-light")
        self.place = place
        self.payload_dir = place / "payloads"
        self.payload_dir.mkdir()
        self._checkout = checkout
        self.port = free_port()

    @property
    def source(self) -> FanoutServer:
        return FanoutServer(f"http://127.0.0.1:{self.port}")

    def states(self, **keys: Any) -> dict[str, Any]:
        """What the formula makes of a pillar."""
        pillar = {
            "deployment_config": {"payload_dir": str(self.payload_dir)},
            "deploy_fanout": {
                "listen": f"127.0.0.1:{self.port}",
                "cache_dir": str(self.place / "cache"),
                **keys,
            },
        }
        return minion(self.place, self._checkout).cmd("state.show_sls", "deploy.fanout", pillar=pillar)

    def configure(self, **keys: Any) -> None:
        """Let Salt write the site, as the state does, elsewhere."""
        said = {key: value for part in self.states(**keys)["nginx site for payloads"]["file"]
                if isinstance(part, dict) for key, value in part.items()}  # fmt: skip
        wanted = {key: said[key] for key in ("source", "template", "context")}
        caller = minion(self.place, self._checkout)
        done = caller.cmd("state.single", "file.managed", name=str(self.place / "site"), **wanted)
        assert all(state["result"] for state in done.values()), done
        user = "user root;" if os.getuid() == 0 else ""  # the test's directories are closed to others
        (self.place / "main").write_text(MAIN.format(place=self.place, user=user))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        command = ["nginx", "-p", str(self.place), "-c", str(self.place / "main"), "-e", str(self.place / "error.log")]  # fmt: skip
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        process = subprocess.Popen(command, env=environment)
        try:
            until(lambda: accepts(self.port) or process.poll() is not None)
            assert process.poll() is None, (self.place / "error.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait()

    def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers=headers)
        return connection.getresponse()

    def fetch(self, payload: Payload, file: Path) -> bytes:
        Http(self.source).fetch(payload, file, no_progress)
        return file.read_bytes()


def minion(place: Path, checkout: Path) -> salt.client.Caller:
    """A minion without a master."""
    settings = {
        "id": "fan1",
        "file_client": "local",
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "root_dir": str(place / "minion"),
        "cachedir": str(place / "minion" / "cache"),
        "extension_modules": str(place / "minion" / "extmods"),
        "file_roots": {"base": [str(checkout / "formula")]},
        "pillar_roots": {"base": []},
        "enable_fqdns_grains": False,
    }
    configuration = place / "minion.conf"
    configuration.write_text(json.dumps(settings))  # JSON is YAML
    return salt.client.Caller(mopts=salt.config.minion_config(str(configuration)))


@pytest.fixture
def nginx(tmp_path: Path, checkout: Path) -> Nginx:
    return Nginx(tmp_path, checkout)


@pytest.fixture
def origin() -> Iterator[PayloadServer]:
    with PayloadServer(LARGE).running() as running:
        yield running


@pytest.fixture
def large(tmp_path: Path) -> Payload:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return Payload("", digest_of(path), len(LARGE))


def test_what_was_brought_is_served_whole_and_in_parts_and_nothing_else(nginx: Nginx, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.write_bytes(DATA)
    Payloads(nginx.payload_dir).add(PAYLOAD, aside)
    (nginx.payload_dir / ".aside").write_bytes(b"half")
    nginx.configure()
    with nginx.running():
        half = tmp_path / "file"
        half.write_bytes(DATA[:1_000_000])
        assert nginx.fetch(PAYLOAD, half) == DATA
        assert nginx.ask(f"/{PAYLOAD.sha256}", Range="bytes=10-19").read() == DATA[10:20]
        whole = nginx.ask(f"/{PAYLOAD.sha256}")
        assert (whole.status, whole.read()) == (200, DATA)
        assert "immutable" in str(whole.getheader("Cache-Control"))
        for path in ("/", "/.aside", f"/{'0' * 64}", f"/{PAYLOAD.sha256}/", f"/x/{PAYLOAD.sha256}"):
            assert nginx.ask(path).status == 404, path
        assert nginx.ask(f"/{PAYLOAD.sha256}", "PUT").status == 403


def test_each_piece_is_fetched_once_from_the_origin_however_many_ask(
    nginx: Nginx, origin: PayloadServer, large: Payload, tmp_path: Path
) -> None:
    nginx.configure(origin=origin.url)
    asked = threading.Barrier(8)
    files: dict[int, bytes] = {}

    def fetch(number: int) -> None:
        asked.wait()
        files[number] = nginx.fetch(large, tmp_path / f"file{number}")

    with nginx.running():
        threads = [threading.Thread(target=fetch, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [files[number] == LARGE for number in range(8)] == [True] * 8
        assert len(origin.asked) == len(set(origin.asked)) == SLICES
        later = nginx.ask(f"/{large.sha256}")
        assert (later.read(), "immutable" in str(later.getheader("Cache-Control"))) == (LARGE, True)
        assert len(origin.asked) == SLICES


def test_a_fetch_through_it_is_resumed(
    nginx: Nginx, origin: PayloadServer, large: Payload, tmp_path: Path
) -> None:
    nginx.configure(origin=origin.url)
    half = tmp_path / "file"
    half.write_bytes(LARGE[:8_900_000])
    with nginx.running():
        assert nginx.fetch(large, half) == LARGE
    assert len(origin.asked) == 1


def test_what_the_origin_has_not_got_is_not_found_and_may_come_later(
    nginx: Nginx, origin: PayloadServer, large: Payload, tmp_path: Path
) -> None:
    nginx.configure(origin=origin.url)
    well, origin.answer = origin.answer, lambda request: request.send(404)
    with nginx.running():
        with pytest.raises(Unavailable, match="does not have it"):
            nginx.fetch(large, tmp_path / "file")
        origin.answer = well
        assert nginx.fetch(large, tmp_path / "file") == LARGE


def test_what_lies_on_its_disk_is_not_asked_of_the_origin(
    nginx: Nginx, origin: PayloadServer, large: Payload, tmp_path: Path
) -> None:
    aside = tmp_path / "aside"
    aside.write_bytes(LARGE)
    Payloads(nginx.payload_dir).add(large, aside)
    nginx.configure(origin=origin.url)
    with nginx.running():
        assert nginx.fetch(large, tmp_path / "file") == LARGE
    assert origin.asked == []


def test_without_a_directory_for_payloads_the_state_says_what_to_set(nginx: Nginx, checkout: Path) -> None:
    states = minion(nginx.place, checkout).cmd("state.show_sls", "deploy.fanout", pillar={})
    (state,) = states.values()
    assert "payload_dir" in json.dumps(state)
