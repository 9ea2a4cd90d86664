"""Payloads that the master sends over the connection, when a stage finds no other source.

The stage says which one it wants, and waits. Whoever is connected passes that on, puts the bytes into the inbox, and only a
payload whose digest is right stands there under its name. A connection that breaks meanwhile breaks nothing: the next one goes
on from the begin of this payload.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from saltdeploy.git.repository import Progress
from saltdeploy.lib import durable
from saltdeploy.lib.errors import Unavailable
from saltdeploy.protocol.orders import Payload
from saltdeploy.remote_host.channel import Channel
from saltdeploy.remote_host.jobs import Tell

_TURN = 0.05  # seconds
_TELL_EVERY = 0.5  # seconds
_PATIENCE = 300.0  # seconds without a byte; whoever deploys asks again long before
_KEPT = 86_400.0  # seconds that a payload stays which nobody took
_PIECE = 1 << 16  # bytes
_MISSING = ".missing"


class Inbox:
    """Where payloads arrive.

    Args:
        directory: of this host.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = durable.private_directory(directory)

    def path(self, sha256: str) -> Path:
        """Where a payload is once it is whole."""
        return self._directory / sha256

    def arrived(self, sha256: str) -> int:
        """Bytes of it that are here."""
        sizes = [0]
        for path in self._directory.glob(f"{sha256}*"):
            with contextlib.suppress(OSError):
                sizes.append(path.stat().st_size)
        return max(sizes)

    def receive(self, sha256: str, size: int, channel: Channel, meanwhile: Callable[[], None]) -> None:
        """Take a payload from the connection.

        Args:
            meanwhile: is called between two pieces.

        Raises:
            Gone: the connection broke.
        """
        aside = self._directory / f"{sha256}.{secrets.token_hex(4)}"
        digest = hashlib.sha256()
        left = size
        try:
            with open(aside, "wb") as file:
                while left:
                    piece = channel.take(min(left, _PIECE), _TURN)
                    digest.update(piece)
                    file.write(piece)
                    left -= len(piece)
                    meanwhile()
            if digest.hexdigest() == sha256:
                os.replace(aside, self.path(sha256))
            else:
                self.lacks(sha256)
        finally:
            aside.unlink(missing_ok=True)

    def lacks(self, sha256: str) -> None:
        """Note that the master cannot give it."""
        self.path(sha256 + _MISSING).touch()

    def take_lack(self, sha256: str) -> bool:
        """Whether that was noted; then it is no longer."""
        try:
            self.path(sha256 + _MISSING).unlink()
        except FileNotFoundError:
            return False
        return True

    def forget_old(self) -> None:
        """Delete what nobody took."""
        for path in self._directory.glob("*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _KEPT:
                    path.unlink()


class PushedPayloads:
    """The downloader of a stage on a host without a minion; see the module.

    Args:
        tell: says to whoever is connected what is wanted.
    """

    def __init__(self, inbox: Inbox, tell: Tell) -> None:
        self._inbox = inbox
        self._tell = tell

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Wait for the payload and move it to ``destination``.

        Raises:
            Unavailable: the master does not send it.
        """
        name = payload.sha256
        self._inbox.take_lack(name)  # of a deploy before
        if not self._inbox.path(name).exists():
            self._tell({"want": name})
        self._wait(payload, progress)
        os.replace(self._inbox.path(name), destination)
        progress("receive", payload.size, payload.size, "bytes")

    def _wait(self, payload: Payload, progress: Progress) -> None:
        last, moment, told = 0, time.monotonic(), 0.0
        while not self._inbox.path(payload.sha256).exists():
            if self._inbox.take_lack(payload.sha256):
                raise Unavailable(
                    f"the master cannot send payload {payload.sha256} over ssh",
                    next="run the same command again; it packs what is missing",
                )
            found, now = self._inbox.arrived(payload.sha256), time.monotonic()
            if found != last:
                last, moment = found, now
            if now - moment > _PATIENCE:
                raise Unavailable(
                    f"of payload {payload.sha256} nothing came for {_PATIENCE:g} seconds: the connection is gone",
                    next="run the same command again",
                )
            if now - told >= _TELL_EVERY and found:
                told = now
                progress("receive", min(found, payload.size), payload.size, "bytes")
            time.sleep(_TURN)
