"""The connection to the master as a host sees it: lines in both directions, and bytes of payloads to the host."""

from __future__ import annotations

import json
import os
import select
from typing import Any

from saltdeploy.lib.errors import DeployError

_MOST_LINE = 16 << 20  # bytes: a pillar and an order with many payloads
_PIECE = 1 << 16  # bytes


class Gone(Exception):
    """Nobody is at the other end any more."""


class Channel:
    """See the module.

    Args:
        read, write: descriptors; nobody else uses them.
        begun: bytes that were read already.
    """

    def __init__(self, read: int, write: int, begun: bytes = b"") -> None:
        self._read = read
        self._write = write
        self._came = bytearray(begun)

    def tell(self, message: dict[str, Any]) -> None:
        """Say one thing.

        Raises:
            Gone: nobody hears it.
        """
        left = memoryview(json.dumps(message).encode("ascii") + b"\n")
        try:
            while left:
                left = left[os.write(self._write, left) :]
        except OSError as error:
            raise Gone from error

    def hear(self, wait: float | None = None) -> dict[str, Any] | None:
        """The next line; None when ``wait`` seconds pass without one.

        Raises:
            Gone: there will be none.
            DeployError: it is no message.
        """
        while (end := self._came.find(b"\n")) < 0:
            if len(self._came) > _MOST_LINE:
                raise DeployError("the master sent a line that does not end")
            if not self._fill(wait):
                return None
        line = bytes(self._came[:end])
        del self._came[: end + 1]
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise DeployError("the master sent what is no message")
        return said

    def take(self, most: int, wait: float) -> bytes:
        """At most so many of the bytes that come; b"" when ``wait`` seconds pass without any.

        Raises:
            Gone: there will be none.
        """
        if not self._came:
            self._fill(wait)
        piece = bytes(self._came[:most])
        del self._came[:most]
        return piece

    def _fill(self, wait: float | None) -> bool:
        if not select.select([self._read], [], [], wait)[0]:
            return False
        try:
            piece = os.read(self._read, _PIECE)
        except OSError as error:
            raise Gone from error
        if not piece:
            raise Gone
        self._came += piece
        return True
