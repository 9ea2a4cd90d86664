"""A place for a repo, and a careful minion."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """The live path of a repo."""
    return tmp_path / "live"


@pytest.fixture
def umask_077() -> Iterator[None]:
    """A minion that was started by somebody careful."""
    before = os.umask(0o077)
    yield
    os.umask(before)
