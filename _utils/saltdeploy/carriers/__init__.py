"""How a payload's bytes travel to a target."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from saltdeploy.orders import Payload
from saltdeploy.repository import Progress


class Carrier(Protocol):
    """Brings one payload to a file. Its bytes are not trusted: the caller checks the digest."""

    def fetch(self, payload: Payload, destination: Path, progress: Progress) -> None:
        """Write the payload's bytes to ``destination``.

        Raises:
            Unavailable: when they cannot be had.
        """
