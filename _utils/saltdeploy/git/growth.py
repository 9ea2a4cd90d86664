"""By how much the objects of a repository grow: git tells nobody how many bytes a fetch has brought."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Growth:
    """What has come, in bytes; 0 while it comes."""

    bytes: int = 0


@contextlib.contextmanager
def growing(git_dir: Path) -> Iterator[Growth]:
    """Measure by how much packs and loose objects grow while the block runs."""
    growth, before = Growth(), _size(git_dir / "objects")
    yield growth
    growth.bytes = max(0, _size(git_dir / "objects") - before)


def _size(objects: Path) -> int:
    """Bytes of packs and loose objects, without indexes: these are made here."""
    total = 0
    for directory, _, names in os.walk(objects):
        is_packs = os.path.basename(directory) in ("pack", "info")
        for name in names:
            if not is_packs or name.endswith(".pack"):
                with contextlib.suppress(FileNotFoundError):
                    total += os.stat(os.path.join(directory, name)).st_size
    return total
