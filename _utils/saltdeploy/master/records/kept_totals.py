"""What a sink that counts deploys has counted: a small file a sink, which outlives master and engine, and the journals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saltdeploy.lib import durable
from saltdeploy.lib.errors import DamagedFile

_totals = durable.fields(since=(int, float), newest=dict, counts=list)


class TotalsFile:
    """``metrics/<sink>.json`` of the master's directory for deploys.

    Args:
        root: that directory.
        sink: its name.
    """

    def __init__(self, root: Path, sink: str) -> None:
        self.path = root / "metrics" / f"{sink}.json"

    def read(self) -> dict[str, Any] | None:
        """What was written last. A damaged file is set aside: what the journals tell is counted then."""
        try:
            return durable.read(self.path, _totals, None)
        except DamagedFile:
            durable.set_aside(self.path)
            return None

    def write(self, totals: dict[str, Any]) -> None:
        """Keep it.

        Raises:
            OSError: it cannot be written.
        """
        durable.private_directory(self.path.parent)
        durable.write(self.path, totals)
