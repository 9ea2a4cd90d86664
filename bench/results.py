"""What was measured, cell by cell: written as soon as it is known, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Cell = dict[str, Any]


class Results:
    """Cells of one table in a directory, each a file of JSON.

    Args:
        directory: made when missing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def has(self, *names: str) -> bool:
        """Whether this cell has been measured."""
        return self._path(names).exists()

    def put(self, cell: Cell, *names: str) -> None:
        """Keep a cell, with the time."""
        path = self._path(names)
        aside = path.with_suffix(".new")
        aside.write_text(
            json.dumps({**cell, "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}, indent=1)
        )
        os.replace(aside, path)

    def get(self, *names: str) -> Cell | None:
        """A cell; None if it has not been measured."""
        path = self._path(names)
        return json.loads(path.read_text()) if path.exists() else None

    def all(self) -> Iterator[tuple[str, Cell]]:
        """Every cell with the name of its file."""
        for path in sorted(self.directory.glob("*.json")):
            yield path.stem, json.loads(path.read_text())

    def _path(self, names: tuple[str, ...]) -> Path:
        return self.directory / ("--".join(names).replace("/", "-").replace(":", "-") + ".json")


def machine() -> str:
    """The machine in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {platform.system()} {kernel}"
