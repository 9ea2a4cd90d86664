"""What a host's steps ask of Salt, through the real door and Salt's loader: functions, and its web client."""

from __future__ import annotations

import http.server
import json
import os
import pwd
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.client
import salt.config
from saltdeploy.protocol.orders import FETCH, Order

from tests.support.repositories import Source, tree

Minion = Callable[..., salt.client.Caller]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "demo.git", tree(VERSION="v0"), tree(VERSION="v1"))


@pytest.fixture
def minion(checkout: Path, tmp_path: Path, source: Source) -> Minion:
    """A minion without a master; its configuration of the repo ``demo`` is what is asked for."""

    def caller(**keys: Any) -> salt.client.Caller:
        repo = {
            "location": str(tmp_path / "srv" / "demo"),
            "url": f"file://{source.git_dir}",
            "transport": "git",
            "restart_command": "true",
            **keys,
        }
        settings = {
            "id": "web1",
            "file_client": "local",
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "root_dir": str(tmp_path),
            "cachedir": str(tmp_path / "cache"),
            "pki_dir": str(tmp_path / "pki"),
            "sock_dir": str(tmp_path / "run"),
            "extension_modules": str(tmp_path / "cache" / "extmods"),
            "pillar_roots": {"base": [str(pillar(tmp_path / "pillar", {"repo_config": {"demo": repo}}))]},
            "module_dirs": [str(checkout)],
            "pillar_dirs": [str(checkout / "_pillar")],
            "enable_fqdns_grains": False,
        }
        configuration = tmp_path / "minion"
        configuration.write_text(json.dumps(settings))  # JSON is YAML
        return salt.client.Caller(mopts=salt.config.minion_config(str(configuration)))

    return caller


def pillar(root: Path, data: dict[str, Any]) -> Path:
    root.mkdir(exist_ok=True)
    (root / "top.sls").write_text(json.dumps({"base": {"*": ["deploy"]}}))
    (root / "deploy.sls").write_text(json.dumps(data))
    return root


def deploy(host: salt.client.Caller, source: Source, number: int) -> dict[str, Any]:
    order = Order(f"{number:020d}", 1, FETCH, source.release(number), "git").to_wire()
    fetched = host.cmd("deploy.fetch", "demo", order=order)
    assert fetched["status"] == 0, fetched
    return host.cmd("deploy.checkout", "demo", order=order)  # type: ignore[no-any-return]


@pytest.fixture
def web() -> Iterator[str]:
    """The URL of a real web server: /slow takes its time, /there sends elsewhere, /name tells the host asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                stop.wait(60)
            known = {"/name": self.headers["Host"], "/ok": "fine", "/big": "x" * 5_000_000, "/slow": ""}
            self.send_response(302 if self.path == "/there" else 200 if self.path in known else 404)
            self.send_header("Location", "/ok")
            self.end_headers()
            try:
                self.wfile.write(known.get(self.path, "").encode())
            except OSError:  # whoever asked has enough
                pass

        def log_message(self, *_: object) -> None:
            pass

    stop = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        stop.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({"function": "test.ping"}, ""),
        ({"function": "test.arg", "args": [1], "kwargs": {"two": 2}}, ""),
        ({"function": "cmd.run", "args": ["true"]}, ""),
        ({"function": "test.false"}, "answered False"),
        ({"function": "test.exception", "kwargs": {"message": "no luck"}}, "no luck"),
        ({"function": "cmd.run", "args": ["echo told; exit 4"], "kwargs": {"python_shell": True}}, "exit code 4: told"),
        ({"function": "cmd.run_all", "args": ["false"]}, "exit code 1"),
        ({"function": "no.such"}, "there is no function no.such"),
        ({"function": "test.sleep", "args": [600], "timeout": 1}, "exceeded 1s timeout"),
    ],
)  # fmt: skip
def test_a_function_of_salt_is_a_check(
    minion: Minion, source: Source, check: dict[str, Any], why: str
) -> None:
    host = minion(checks={"x": {"type": "salt", "after": "restart", **check}})
    answer = deploy(host, source, 0)
    assert (answer["status"] != 0, why in answer.get("error", {}).get("cause", "")) == (bool(why), True)


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({"url": "/ok", "body": "^fine$"}, ""),
        ({"url": "/there", "body": "^fine$"}, ""),
        ({"url": "/gone", "status": 404}, ""),
        ({"url": "/name", "host": "www.example.org", "body": "^www.example.org$"}, ""),
        ({"url": "/gone"}, "status 404, not 200"),
        ({"url": "/slow", "timeout": 1}, "no answer: Timeout"),
        ({"url": "/big"}, "no answer"),
    ],
)
def test_salts_web_client_asks_web_servers(
    minion: Minion, source: Source, web: str, check: dict[str, Any], why: str
) -> None:
    host = minion(checks={"x": {"type": "http", "after": "restart", **check, "url": web + check["url"]}})
    answer = deploy(host, source, 0)
    assert (answer["status"] != 0, why in answer.get("error", {}).get("cause", "")) == (bool(why), True)


def test_a_host_that_did_not_become_well_says_so_and_heals(
    minion: Minion, source: Source, tmp_path: Path
) -> None:
    mark = tmp_path / "well"
    host = minion(checks={"x": {"after": "restart", "command": ["test", "-e", str(mark)]}})
    assert deploy(host, source, 0)["holdings"]["unsettled"]
    assert host.cmd("deploy.status", "demo")["holdings"]["unsettled"]
    mark.touch()
    assert not deploy(host, source, 1)["holdings"]["unsettled"]
    assert host.cmd("deploy.status", "demo")["tag"] == "v1"


def test_F22_what_a_release_does_at_promote_is_done_before_the_restart(
    minion: Minion, tmp_path: Path
) -> None:
    order, note = tmp_path / "order", tmp_path / "note"
    note.write_text(f'#!/bin/sh\necho "$1 $(cat "$SCAP_FINAL_PATH/VERSION")" >> {order}\n')
    note.chmod(0o755)
    (tmp_path / "nrpe.d").mkdir()
    (tmp_path / "nrpe.d" / "up.cfg").write_text(f"command[up]={note} up\n")
    checks = {
        "pool": {"stage": "restart_service", "command": f"{note} pool"},
        "up": {"type": "nrpe", "stage": "promote", "command": "up", "nrpe_dir": str(tmp_path / "nrpe.d")},
        "venv": {"stage": "promote", "command": f"{note} venv"},
    }
    brought = {"scap/checks.yaml": json.dumps({"checks": checks})}  # JSON is YAML
    source = Source(tmp_path / "own.git", tree(VERSION="v0", **brought), tree(VERSION="v1", **brought))
    host = minion(url=f"file://{source.git_dir}", restart_command=[str(note), "restart"])
    assert deploy(host, source, 0)["status"] == 0
    assert deploy(host, source, 1)["status"] == 0
    words = ("venv", "restart", "up", "pool")
    assert order.read_text().splitlines() == [f"{word} v{number}" for number in (0, 1) for word in words]


def test_restart_alone_answers_as_trebuchet_does(minion: Minion, source: Source) -> None:
    host = minion(restart_command=None)
    deploy(host, source, 0)
    assert host.cmd("deploy.restart", "demo") == {}

    answer = minion(restart_command="true").cmd("deploy.restart", "demo")
    assert (answer["status"], answer["repo"], answer["dependencies"]) == (True, "demo", [])

    answer = minion(service_name="no-such-service").cmd("deploy.restart", "demo")
    assert answer["status"] is False
    assert answer["error"]["kind"] == "restart-failed" and answer["error"]["host"] == "web1"


def test_module_calls_of_an_old_pillar_get_the_repos_name(minion: Minion, source: Source) -> None:
    host = minion(checkout_module_calls={"test.echo": ["__REPO__"]})
    answer = deploy(host, source, 0)
    step = next(step for step in answer["facts"]["steps"] if step["step"] == "call test.echo")
    assert step["status"] == "ok" and "output: demo" in step["text"]


def test_F43_no_password_of_a_url_is_told_wherever_the_pillar_has_one(minion: Minion) -> None:
    url = "https://amir:s3cret@git.example.org/x"
    host = minion(
        url=url, upstream=url, blobs={"lfs": [url]}, submodule_urls={"https://a.example/": f"{url}/"}
    )
    told = host.cmd("deploy.get_config", "demo")
    assert told["url"] == "https://***@git.example.org/x"
    assert "s3cret" not in json.dumps(told)
    assert "s3cret" not in json.dumps(host.cmd("deploy.status", "demo"))
