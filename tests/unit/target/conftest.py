"""A repository with a few releases, and a host that takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repositories import Source, tree
from tests.targets import Target


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    releases = [tree(a=str(n), lib__same="same", **{f"only{n}": "x" * 5000}) for n in range(6)]
    return Source(tmp_path_factory.mktemp("source") / "source", *releases)


@pytest.fixture
def host(tmp_path: Path, source: Source) -> Target:
    return Target(tmp_path, source)
