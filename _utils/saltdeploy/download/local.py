"""Carrier ``shelf``: what this very host holds already, because it was preseeded or is a fanout itself."""

from __future__ import annotations

from pathlib import Path

from saltdeploy.content.payloads import Payloads, check
from saltdeploy.git.repository import Progress
from saltdeploy.lib import disk
from saltdeploy.lib.errors import Unavailable
from saltdeploy.protocol.orders import Payload


class LocalPayloads:
    """The payloads in a directory of this host."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Link the payload, or copy it where links cannot be; no byte travels, so no progress is told.

        Raises:
            Unavailable: it is not here, or somebody has just taken it away.
            Corrupt: it has rotted; it is gone now, so that it is fetched again.
        """
        path = self._payloads.path(payload.sha256)
        if path is None:
            raise Unavailable("is not here")
        check(path, payload)
        try:
            disk.link_or_copy(path, destination)
        except FileNotFoundError:
            raise Unavailable("has just been collected") from None
