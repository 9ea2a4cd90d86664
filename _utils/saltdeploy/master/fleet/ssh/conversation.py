"""One request to one host over ssh: the package is sent where it is not there yet, then what is asked, then what the stage wants.

What comes from the host is checked for its form alone. Whether an answer counts is decided where those of minions are judged.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from saltdeploy.config.ssh_hosts import SshHost
from saltdeploy.lib.errors import DeployError, Unavailable
from saltdeploy.lib.text import legible
from saltdeploy.master.fleet.no_answers import NO_SSH
from saltdeploy.master.fleet.ssh import archives
from saltdeploy.master.fleet.ssh.archives import HostArchive
from saltdeploy.master.fleet.ssh.connections import SshConnections, Started

_VERSION = 1  # of what is said on the connection
_MOST_LINE = 4 << 20  # bytes; an answer has its log with it
_MOST_NOISE = 50  # lines that the host's shell may print before we are there
_GREETS_WITHIN = 20.0  # seconds behind those that the connection may take


@dataclass(frozen=True)
class Shelf:
    """What a host can be sent.

    Attributes:
        payload: a payload's name to its file on the master; None for what is not here.
    """

    payload: Callable[[str], Path | None]

    @cached_property
    def package(self) -> HostArchive:
        """Made once for all hosts."""
        return archives.of_package()


class Conversation:
    """See the module.

    Args:
        gate: is held while a connection is being made: only so many at once.
        connect: seconds until a connection has to be there.
    """

    def __init__(
        self, connections: SshConnections, shelf: Shelf, gate: threading.Semaphore, connect: float
    ) -> None:
        self._connections = connections
        self._shelf = shelf
        self._gate = gate
        self._connect = connect

    def hold(self, host: SshHost, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Ask; what the host says: ``event`` and ``answer``, until the connection ends.

        Raises:
            DeployError: the host cannot be reached, refuses, or the connection ended before an answer came.
        """
        with contextlib.ExitStack() as ends:
            with self._gate:
                started = self._started(host)
                ends.callback(self._connections.end, started)
                talk = _Talk(host, started)
                self._introduce(talk, request)
            answered = False
            while (said := talk.hear()) is not None:
                if "want" in said:
                    self._push(talk, str(said["want"]))
                elif "refused" in said:
                    raise _failed(host, str(said["refused"]))
                else:
                    answered = answered or "answer" in said
                    yield said
            if not answered:
                raise _failed(host, started.why() or "the connection ended before an answer came")

    def _started(self, host: SshHost) -> Started:
        try:
            return self._connections.start(host)
        except OSError as error:
            raise _failed(host, f"ssh cannot be run on this master: {error.strerror}") from error

    def _introduce(self, talk: _Talk, request: Mapping[str, Any]) -> None:
        """From the greeting to the request."""
        late = threading.Timer(self._connect + _GREETS_WITHIN, talk.break_off)
        late.start()
        try:
            greeting = talk.greeting()
        finally:
            late.cancel()
        if greeting.get("hello") != _VERSION:
            raise _failed(
                talk.host, f"its receiver speaks version {legible(str(greeting.get('hello')))[:20]}"
            )
        libraries = archives.of_libraries(greeting, talk.host.id)
        offered = {each.sha256: each for each in (self._shelf.package, libraries) if each is not None}
        talk.tell({"archives": list(offered)})
        for name in talk.expect("missing"):
            if name not in offered:
                raise _failed(talk.host, "it wants an archive that it was not offered")
            talk.tell({"size": len(offered[name].data)})
            talk.give(offered[name].data)
        talk.tell({"request": dict(request)})

    def _push(self, talk: _Talk, sha256: str) -> None:
        """Send a payload, while what the host says is heard on."""
        path = self._shelf.payload(sha256)
        threading.Thread(target=talk.send_file, args=(sha256, path), daemon=True).start()


class _Talk:
    """What is said on one connection."""

    def __init__(self, host: SshHost, started: Started) -> None:
        self.host = host
        self._started = started
        self._sending = threading.Lock()

    def greeting(self) -> dict[str, Any]:
        """The receiver's first word; what shells print before it is passed over.

        Raises:
            Unavailable: there is none.
        """
        for _ in range(_MOST_NOISE):
            line = self._line()
            if not line:
                break
            said = _message(line)
            if said is not None and "refused" in said:
                raise _failed(self.host, str(said["refused"]))
            if said is not None and "hello" in said:
                return said
        raise _failed(self.host, self._started.why() or "nobody has greeted")

    def expect(self, key: str) -> list[Any]:
        """The list that the host says next.

        Raises:
            Unavailable: it says something else.
        """
        said = self.hear() or {}
        if "refused" in said:
            raise _failed(self.host, str(said["refused"]))
        found = said.get(key)
        if not isinstance(found, list):
            raise _failed(self.host, self._started.why() or "the connection ended too early")
        return found

    def hear(self) -> dict[str, Any] | None:
        """The next message; None when the connection has ended.

        Raises:
            Unavailable: it is none.
        """
        line = self._line()
        if not line.endswith(b"\n"):
            return None
        said = _message(line)
        if said is None:
            raise _failed(
                self.host, f"it says what is no message: {legible(line[:100].decode(errors='replace'))}"
            )
        return said

    def tell(self, message: Mapping[str, Any]) -> None:
        """Say one thing."""
        self.give(json.dumps(message).encode("ascii") + b"\n")

    def give(self, data: bytes) -> None:
        """Write bytes.

        Raises:
            Unavailable: nobody takes them.
        """
        try:
            with self._sending:
                self._input.write(data)
                self._input.flush()
        except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
            raise _failed(self.host, self._started.why() or "the connection ended too early") from error

    def send_file(self, sha256: str, path: Path | None) -> None:
        """A payload, or that there is none; in a thread of its own. A connection that breaks is noticed by who listens."""
        with contextlib.suppress(OSError, ValueError), self._sending:
            if path is None:
                self._input.write(json.dumps({"payload": sha256, "missing": True}).encode() + b"\n")
            else:
                with open(path, "rb") as file:
                    size = path.stat().st_size
                    self._input.write(json.dumps({"payload": sha256, "size": size}).encode() + b"\n")
                    shutil.copyfileobj(file, self._input)
            self._input.flush()

    def break_off(self) -> None:
        """End it: it has taken too long."""
        self._started.process.kill()

    @property
    def _input(self) -> IO[bytes]:
        assert self._started.process.stdin is not None
        return self._started.process.stdin

    def _line(self) -> bytes:
        assert self._started.process.stdout is not None
        try:
            line = self._started.process.stdout.readline(_MOST_LINE)
        except (OSError, ValueError):
            return b""
        return line


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _failed(host: SshHost, why: str) -> DeployError:
    return Unavailable(
        f"{NO_SSH} {host.user}@{host.address} port {host.port}: {legible(why)[:600]}", host=host.id
    )
