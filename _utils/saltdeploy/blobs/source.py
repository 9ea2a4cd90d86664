"""Where contents come from: the protocol, and what an operator may write for each way.

====================================  ===========================================================================
``/srv/store``                        a directory
``http://host/path``                  the same directory, behind any web server
``rsync://host/module``,              the same, by rsync from a daemon or over ssh
``host::module``, ``host:/path``
``lfs+https://host/repo.git/info/lfs``  a git-lfs server (kind ``lfs`` only)
====================================  ===========================================================================

In a directory the contents lie as their tool lays them: see :func:`saltdeploy.content.pointers.places`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saltdeploy.blobs.cache import BlobCache
from saltdeploy.content.pointers import Pointer

Hear = Callable[[int], None]
"""Hears how many more bytes have come."""


@dataclass(frozen=True)
class Cap:
    """How much may come from a source.

    Attributes:
        rate: bytes per second at most; 0: as many as will.
        booked: see :class:`saltdeploy.config.delivery.Delivery`.
    """

    rate: int = 0
    booked: Path | None = None


class BlobSource(Protocol):
    """One place that contents come from."""

    def fetch(self, wanted: Sequence[Pointer], shelf: BlobCache, hear: Hear) -> dict[str, str]:
        """Put those contents on the shelf that can be had here.

        Returns:
            Of the others, name to the reason, without secrets. No error of the other side is raised.
        """
