"""Pointers, and servers that hold what they point to: a git-lfs server, plain files, a real rsync daemon."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from saltdeploy.content.pointers import Pointer, places, read

from tests.support.repositories import FILE, Entry, link
from tests.support.serving import free_port, until


def lfs(content: bytes, mode: str = FILE) -> Entry:
    """What git-lfs commits in the place of a file."""
    oid = hashlib.sha256(content).hexdigest()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    return Entry(mode, text.encode())


def fat(content: bytes, mode: str = FILE) -> Entry:
    """What git-fat commits in the place of a file."""
    return Entry(mode, b"#$# git-fat %s %20d\n" % (hashlib.sha1(content).hexdigest().encode(), len(content)))


def annexed(content: bytes, backend: str = "SHA256E", extension: str = ".bin") -> Entry:
    """What git-annex commits in the place of a file that is not unlocked."""
    return link(
        f"../.git/annex/objects/Xx/Yy/{key(content, backend, extension)}/{key(content, backend, extension)}"
    )


def unlocked(content: bytes, mode: str = FILE) -> Entry:
    """What git-annex commits in the place of an unlocked file."""
    return Entry(mode, f"/annex/objects/{key(content)}\n".encode())


def key(content: bytes, backend: str = "SHA256E", extension: str = ".bin") -> str:
    digest = hashlib.new(backend.removesuffix("E").lower(), content).hexdigest()
    return f"{backend}-s{len(content)}--{digest}{extension if backend.endswith('E') else ''}"


ENTRIES = {"lfs": lfs, "fat": fat, "annex": annexed}


def pointer(entry: Entry) -> Pointer:
    found = read(entry.mode, entry.data)
    assert found is not None
    return found


def fill(directory: Path, entry: Entry, content: bytes) -> Path:
    """Put a content where its tool would put it in a store; the path."""
    path = directory / places(pointer(entry))[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class Server:
    """One web server on loopback: git-lfs's batch API at ``/api``, and plain files of ``root`` at ``/files``.

    Attributes:
        root: contents as below ``.git/lfs/objects``.
        given: paths of contents that were asked for.
        password: if set, who asks the API must know ``user:<password>``; the download needs a token that it gives.
        downloads: where the API says that contents are.
        stall: whether downloads stop in the middle and hang.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.given: list[str] = []
        self.password = ""
        self.stall = False
        root.mkdir(exist_ok=True)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if server.password and self.headers.get("Authorization") != server.basic():
                    return self.answer(401, b"{}")
                self.answer(
                    200, json.dumps({"objects": [server.offer(each) for each in asked["objects"]]}).encode()
                )

            def do_GET(self) -> None:
                server.given.append(self.path)
                if self.path.startswith("/token/") and self.headers.get("Authorization") != "Token let-me":
                    return self.answer(403, b"")
                path = server.root / self.path.split("/", 2)[2]
                if not path.is_file():
                    return self.answer(404, b"")
                self.answer(200, path.read_bytes())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if server.stall and status == 200 and self.command == "GET":
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    time.sleep(600)
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.files = f"http://{self.address}/files"
        self.downloads = f"http://{self.address}/token/"
        self.api = f"lfs+http://{self.address}/api"

    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"user:{self.password}".encode()).decode()

    def offer(self, asked: dict[str, Any]) -> dict[str, Any]:
        oid = asked["oid"]
        path = f"{oid[:2]}/{oid[2:4]}/{oid}"
        if not (self.root / path).is_file():
            return {**asked, "error": {"code": 404, "message": "no such object"}}
        header = {"Authorization": "Token let-me"}
        return {
            **asked,
            "actions": {"download": {"href": f"{self.downloads}{path}", "header": header}},
        }

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def rsync_daemon(place: Path, module: Path) -> Iterator[str]:
    """A real daemon that serves a directory; yields the place that rsync takes."""
    if shutil.which("rsync") is None:
        pytest.fail("rsync is not installed; .ci/run installs it")
    port = free_port()
    config = place / "rsyncd.conf"
    said = ["use chroot = no", f"uid = {os.getuid()}", f"gid = {os.getgid()}"]
    config.write_text("\n".join([*said, "[store]", f"path = {module}", "read only = yes", ""]))
    command = [
        "rsync",
        "--daemon",
        "--no-detach",
        f"--config={config}",
        f"--port={port}",
        "--address=127.0.0.1",
    ]
    process = subprocess.Popen([*command, f"--log-file={place}/rsyncd.log"])
    url = f"rsync://127.0.0.1:{port}/store"
    try:
        until(lambda: subprocess.run(["rsync", "--", f"{url}/"], capture_output=True).returncode == 0)
        yield url
    finally:
        process.terminate()
        process.wait()


def work_tree(place: Path) -> Any:
    """A new work tree; returns a function that runs git in it."""
    place.mkdir()

    def git(*arguments: str) -> bytes:
        done = subprocess.run(["git", *arguments], cwd=place, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    git("init", "--quiet")
    return git
