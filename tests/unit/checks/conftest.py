"""A release with scripts, a web server, and functions that stand for Salt's."""

from __future__ import annotations

import http.server
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import checks
from saltdeploy.checks import CheckContext, Verdict
from saltdeploy.config import checks as config_checks
from saltdeploy.config.rollout import Check

from tests.support.serving import get


class Web:
    """A real web server: path to what it answers, as (status, headers, body) or as a function that gives them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.answers: dict[str, Any] = {}
        self.hosts: list[str] = []

    def answer(self, path: str) -> tuple[int, dict[str, str], str]:
        found = self.answers.get(path.split("?")[0], (404, {}, "nothing here"))
        return found(path) if callable(found) else found  # type: ignore[no-any-return]


@pytest.fixture
def web() -> Iterator[Web]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = site.answer(self.path)
            site.hosts.append(self.headers["Host"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Web(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield site
        server.shutdown()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "test.answer": lambda value=None: value,
    "test.hang": lambda: time.sleep(600),
    "test.raise": lambda: int("x"),
    "test.add": lambda one, two: one + two == 3,
}


@pytest.fixture
def place(tmp_path: Path) -> CheckContext:
    """A host with a release that has a script."""
    tree = tmp_path / "slots" / "1"
    scripts = tree / "scap" / "scripts"
    scripts.mkdir(parents=True)
    (tree / "VERSION").write_text("v1")
    executable(scripts / "say", '#!/bin/sh\necho "said $1 in $(cat VERSION)"\nexit "${2:-0}"\n')
    (scripts / "plain").write_text("echo no\n")
    (scripts / "away").symlink_to("/bin/true")
    (scripts / "folder").mkdir()
    return CheckContext(
        call=lambda name, arguments, keywords: FUNCTIONS[name](*arguments, **keywords),
        get=get,
        directory=tree,
        environment={"SCAP_FINAL_PATH": "/srv/demo"},
    )


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def check(kind: str, **keys: Any) -> Check:
    (found,) = config_checks.checks({"x": {"type": kind, "after": "restart", **keys}})
    return found


def verdict(place: CheckContext, kind: str, **keys: Any) -> Verdict:
    return checks.run(check(kind, **keys), place)


def script(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]
