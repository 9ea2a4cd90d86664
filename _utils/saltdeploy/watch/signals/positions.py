"""How far a sink has been told each journal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Positions(Protocol):
    """Deploy id -> bytes of its journal that have been told."""

    def load(self, journals: Iterable[Path]) -> None:
        """Read where it stands; these are the journals there are."""

    def forget(self, journals: Iterable[Path]) -> None:
        """These are the journals there are now: of others nothing has to be known."""

    def of(self, deploy: str) -> int:
        """Bytes of its journal that have been told."""

    def move(self, deploy: str, at: int, *, keep: bool) -> None:
        """So much has been told.

        Args:
            keep: write it down; what was told without a notification need not be, it is read again.
        """


class FromTheBegin:
    """Of a sink whose memory is its process: it is told all journals there are, whenever it begins."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def load(self, journals: Iterable[Path]) -> None:
        """Nothing has been told."""

    def forget(self, journals: Iterable[Path]) -> None:
        """See :class:`Positions`."""
        kept = {path.stem for path in journals}
        self._at = {deploy: at for deploy, at in self._at.items() if deploy in kept}

    def of(self, deploy: str) -> int:
        """See :class:`Positions`."""
        return self._at.get(deploy, 0)

    def move(self, deploy: str, at: int, *, keep: bool) -> None:
        """See :class:`Positions`; nothing is written down."""
        self._at[deploy] = at
