"""A real redis server, which tests stop, kill, starve and start again."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis
from saltdeploy.watch.redis_server import RedisSettings

_PATIENCE = 20.0  # seconds; only a broken test waits for so long


class RunningRedis:
    """A server in a directory of its own. What it holds survives a kill as far as it was saved."""

    def __init__(self, directory: Path, password: str = "") -> None:
        self.password = password
        self.directory = directory
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        directory.mkdir(exist_ok=True)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {directory}",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        lines += [f"requirepass {password}"] if password else []
        self._configuration = directory / "redis.conf"
        self._configuration.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings("127.0.0.1", self.port, socket_connect_timeout=0.5, password=self.password)

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=self.password or None, decode_responses=True)

    def start(self) -> None:
        command = ["redis-server", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(redis.ConnectionError):
                self.client.ping()
                return
            assert time.monotonic() < end, "redis-server does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It accepts connections and answers nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def running(self) -> Iterator[RunningRedis]:
        self.start()
        try:
            yield self
        finally:
            self.kill()

    def everything(self) -> dict[str, object]:
        """All keys with their values; of the stream what its entries hold, for their ids are times."""
        client = self.client
        found: dict[str, object] = {}
        for key in client.keys("*"):
            kind = client.type(key)
            if kind == "set":
                found[key] = client.smembers(key)
            elif kind == "hash":
                found[key] = client.hgetall(key)
            elif kind == "list":
                found[key] = client.lrange(key, 0, -1)
            elif kind == "stream":
                found[key] = [fields for _, fields in client.xrange(key)]
        return found
