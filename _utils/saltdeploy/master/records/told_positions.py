"""How far each sink of signals has been told each journal: a small file a sink, which outlives master and engine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile


class ToldPositions:
    """Kept in ``signals/<sink>.json`` of the master's directory for deploys: deploy id -> bytes of its journal.

    Args:
        root: the master's directory for deploys.
        sink: its name.
    """

    def __init__(self, root: Path, sink: str) -> None:
        self.path = root / "signals" / f"{sink}.json"
        self._at: dict[str, int] = {}

    def load(self, journals: Iterable[Path]) -> None:
        """Read where it stands. A sink that is new, or whose file is damaged, begins now: no past is announced as news."""
        durable.private_directory(self.path.parent)
        present = list(journals)
        try:
            found = durable.read(self.path, _numbers, None)
        except DamagedFile:
            durable.set_aside(self.path)
            found = None
        if found is None:
            found = {path.stem: _size(path) for path in present}
            durable.write(self.path, found)
        kept = {path.stem for path in present}
        self._at = {deploy: at for deploy, at in found.items() if deploy in kept}

    def of(self, deploy: str) -> int:
        """Bytes of its journal that have been told."""
        return self._at.get(deploy, 0)

    def forget(self, journals: Iterable[Path]) -> None:
        """These are the journals that there are now: what was told of others, which ``deploy.gc`` deleted, is of no use."""
        kept = {path.stem for path in journals}
        self._at = {deploy: at for deploy, at in self._at.items() if deploy in kept}

    def move(self, deploy: str, at: int, *, keep: bool) -> None:
        """So much has been told.

        Args:
            keep: write it down; what was told without a signal need not be, it is read again.
        """
        self._at[deploy] = at
        if keep:
            durable.write(self.path, self._at)


def _numbers(value: object) -> dict[str, int] | None:
    return {deploy: durable.whole_number(at) for deploy, at in durable.mapping(value).items()}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
