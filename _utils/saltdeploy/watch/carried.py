"""What hears journals piece by piece, and goes on where it stopped, also in another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from saltdeploy.protocol import events, journal


class Hearer(Protocol):
    """What an event means depends on those before it."""

    def hear(self, event: events.Event, /) -> Any:
        """Take in one event."""


H = TypeVar("H", bound=Hearer)


class Carried(Generic[H]):
    """One hearer for each journal, which has heard it up to some position.

    Args:
        begin: makes one that has heard nothing.
    """

    def __init__(self, begin: Callable[[], H]) -> None:
        self._begin = begin
        self._open: dict[str, tuple[int, H]] = {}

    def at(self, path: Path, position: int) -> H:
        """One that has heard the journal up to there; after a restart it is told the begin again.

        Raises:
            DamagedFile: the journal is no file that can be read.
            FileNotFoundError: there is none.
        """
        known = self._open.pop(path.stem, None)
        if known is not None and known[0] == position:
            return known[1]
        hearer = self._begin()
        for event, end in journal.positions(path) if position else ():
            if end > position:
                break
            hearer.hear(event)
        return hearer

    def following(self, path: Path, position: int) -> Iterator[tuple[events.Event, int, H]]:
        """What the journal holds behind a position: each event, where it ends, and who has not yet heard it.

        The caller lets it hear, and calls :meth:`keep` when it stops.

        Raises:
            DamagedFile, FileNotFoundError: see :meth:`at`.
        """
        hearer = self.at(path, position)
        for event, end in journal.positions(path, position):
            yield event, end, hearer

    def keep(self, path: Path, position: int, hearer: H) -> None:
        """It has heard all up to there."""
        self._open[path.stem] = (position, hearer)

    def drop(self, path: Path) -> None:
        """The deploy has ended: nothing follows."""
        self._open.pop(path.stem, None)

    def clear(self) -> None:
        """All begin anew."""
        self._open.clear()
