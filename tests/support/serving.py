"""A host that serves: a real daemon, what stands for Salt's service module, and a web client."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from saltdeploy.checks import Response
from saltdeploy.content.payloads import Payloads
from saltdeploy.minion import stages
from saltdeploy.minion.context import Task
from saltdeploy.protocol.orders import CHECKOUT, FETCH, ROLLBACK, Order
from saltdeploy.protocol.result import Result
from saltdeploy.transports.bundle import Bundle

from tests.support.repositories import Source, repo

DAEMON = Path(__file__).with_name("daemon.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, headers: Mapping[str, str], timeout: float) -> Response:
    """The web client of a place, from the standard library; on real hosts it is Salt's."""
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Response(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        return Response(error.code, dict(error.headers), error.read().decode())
    except OSError as error:
        return Response(0, body=str(error))


def until(true: Any) -> None:
    """Wait for something that happens in another process; a test that hangs here has failed."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


class Service:
    """Stands for an init system and Salt's ``service`` module: one real daemon, whose state lies on the disk."""

    def __init__(self, place: Path, location: Path, log: Path) -> None:
        self.pidfile = place / "daemon.pid"
        self.generations = place / "generations"
        self.location = location
        self.log = log
        self.port = free_port()

    def start(self, name: str) -> bool:
        command = [
            sys.executable,
            "-S",
            DAEMON,
            self.pidfile,
            self.generations,
            self.location,
            str(self.port),
        ]
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0

    def stop(self, name: str) -> bool:
        pid = self.pid()
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid))
        self.pidfile.unlink(missing_ok=True)
        return True

    def restart(self, name: str) -> bool:
        return self.stop(name) and self.start(name)

    def reload(self, name: str) -> bool:
        os.kill(self.pid(), signal.SIGHUP)
        return True

    def call(self, function: str, arguments: list[Any]) -> Any:
        verb = function.removeprefix("service.")
        with open(self.log, "a") as file:
            file.write(f"{verb} {arguments[0]} {live(self.location)}\n")
        return getattr(self, verb)(*arguments)

    def pid(self) -> int:
        return int(self.pidfile.read_text()) if self.pidfile.exists() else 0

    def loaded(self) -> list[str]:
        """The versions that the daemon has read, one after the other."""
        return self.generations.read_text().split() if self.generations.exists() else []

    def says(self) -> str:
        return get(f"http://127.0.0.1:{self.port}/", {}, 10).body


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits for a parent to take notice of its end does not."""
    try:
        return pid > 0 and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def live(location: Path) -> str:
    version = location / "VERSION"
    return version.read_text().strip() if version.exists() else "nothing"


class Copies:
    """A carrier that copies payloads from the master's directory."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def fetch(self, payload: Any, destination: Path, progress: Any) -> None:
        source = self._payloads.path(payload.sha256)
        assert source is not None
        destination.write_bytes(source.read_bytes())


class ServingHost:
    """A host that takes the repo ``demo`` and serves it; its configuration may be changed between two orders.

    Attributes:
        location: the live path.
        service: the daemon.
        log: what hooks, checks and services did, and what was live then.
        functions: further functions of Salt: name to a Python function.
        events: what it sent to the master.
    """

    def __init__(self, place: Path, source: Source) -> None:
        self.source = source
        self.location = place / "srv" / "demo"
        self.log_file = place / "log"
        self.service = Service(place, self.location, self.log_file)
        self.functions: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.keys: dict[str, Any] = {}
        self._payloads = Payloads(place / "payloads")
        self._deploys = itertools.count(1)
        self.host = stages.Host(
            name="web1",
            cache=place / "cache",
            carrier=Copies(self._payloads),
            send=lambda tag, event: self.events.append(event),
            call=self._call,
            clock=time.time,
            get=get,
        )

    def _call(self, function: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        if function.startswith("service."):
            return self.service.call(function, arguments)
        return self.functions[function](*arguments, **keywords)

    def order(self, number: int, stage: str, deploy: str = "", **more: Any) -> Order:
        tag = self.source.tag(number)
        [payload] = Bundle().pack(self._payloads, self.source.repository, "demo", tag, "")
        return Order(
            deploy=deploy or f"{next(self._deploys):020d}",
            epoch=1,
            stage=stage,
            release=self.source.release(number),
            payloads=(payload,),
            **more,
        )

    def run(self, number: int, stage: str, **options: Any) -> Result:
        configuration = repo(self.location, **self.keys)
        return stages.run([Task(self.order(number, stage, **options), configuration)], self.host)

    def fetch(self, number: int, **options: Any) -> Result:
        return self.run(number, FETCH, **options)

    def checkout(self, number: int, **options: Any) -> Result:
        return self.run(number, CHECKOUT, **options)

    def rollback(self, number: int, **options: Any) -> Result:
        return self.run(number, ROLLBACK, **options)

    def deploy(self, number: int, **options: Any) -> Result:
        fetched = self.fetch(number, **options)
        return self.checkout(number, **options) if fetched.ok else fetched

    def restart(self) -> dict[str, Any]:
        return stages.restart(repo(self.location, **self.keys), self.host)

    def status(self) -> Result:
        return stages.status(repo(self.location, **self.keys), self.host)

    def look(self) -> Result:
        return stages.look(repo(self.location, **self.keys), self.host)

    def says(self, name: str, code: int = 0) -> dict[str, Any]:
        """The keys of a check that writes its name and what is live into the log, and ends with ``code``."""
        script = 'echo "$1 $(cat "$SCAP_FINAL_PATH/VERSION" 2>/dev/null || echo nothing)" >> "$2"; exit "$3"'
        return {"command": ["/bin/sh", "-c", script, "sh", name, str(self.log_file), str(code)]}

    def log(self) -> list[str]:
        return self.log_file.read_text().splitlines() if self.log_file.exists() else []

    def forget_log(self) -> None:
        self.log_file.unlink(missing_ok=True)

    def is_live(self) -> str:
        return live(self.location)
