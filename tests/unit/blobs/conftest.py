"""A store of contents, and a web server over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.annexes import Annex
from tests.support.blobstores import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "objects")
    yield running
    running.stop()


@pytest.fixture
def annex(tmp_path: Path, server: Server) -> Iterator[Annex]:
    made = Annex(tmp_path / "work", server)
    yield made
    made.let_go()
