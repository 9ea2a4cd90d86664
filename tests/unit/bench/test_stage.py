"""A stage by itself, as the benchmark of transports runs it: a small repository by every payload that http carries."""

import functools
import http.server
import json
import subprocess
import sys
import threading

import pytest
from saltdeploy import transports
from saltdeploy.content.payloads import Payloads
from saltdeploy.git.repository import Repository
from saltdeploy.protocol.orders import CHECKOUT, FETCH, Order
from saltdeploy.protocol.release import Release

import bench
from demo import sample
from demo.proof import release_in

pytestmark = pytest.mark.component("each of the processes that a bench starts")


@pytest.fixture
def served(tmp_path):
    """Payloads and the URL of the server that has them."""
    payloads = tmp_path / "payloads"
    payloads.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=payloads)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield payloads, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("transport", ["bundle", "tar", "delta", "squashfs"])
def test_a_stage_brings_each_release_and_tells_what_it_took(tmp_path, served, transport):
    payloads, url = served
    sample.make(tmp_path / "site")
    source = Repository(tmp_path / "site" / ".git")
    live, previous = tmp_path / "srv" / "live", ""
    live.parent.mkdir()
    keys = {"location": str(live), "transport": transport}
    for number, name in enumerate(sample.TAGS, 1):
        tag = source.tag(name)
        packed = transports.of(transport).pack(Payloads(payloads), source, "bench", tag, previous)
        release = Release("bench", name, tag.commit)
        for stage, offered in ((FETCH, packed), (CHECKOUT, ())):
            order = Order(f"{number:020d}", 1, stage, release, transport, offered)
            asked = {"order": order.to_wire(), "keys": keys, "cache": str(tmp_path / "cache"), "url": url}
            done = subprocess.run(
                [sys.executable, "-m", "bench.stage"], cwd=bench.CHECKOUT, input=json.dumps(asked), text=True,
                capture_output=True, check=True,
            )  # fmt: skip
            took = json.loads(done.stdout)
            assert took["seconds"] > 0 and took["peak"] > 1_000_000
        assert release_in(live.resolve(), tmp_path / "site", sample.TAGS) == name
        previous = tag.commit
