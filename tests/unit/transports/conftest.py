"""A repository of releases that are hard to carry, and a target for each way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.repositories import Source
from tests.support.travels import RELEASES, Traveller, rsync_daemon

Travellers = Callable[..., Traveller]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Four releases of odd names, swaps, and one big file."""
    return Source(tmp_path_factory.mktemp("odd") / "source.git", *RELEASES)


@pytest.fixture
def traveller(tmp_path: Path, odd: Source) -> Iterator[Travellers]:
    """Makes targets, each with payloads of its own; rsync's daemon serves what the master exports for all of them."""
    with rsync_daemon(tmp_path / "exports") as url:

        def make(transport: str, source: Source = odd, name: str = "", **keys: object) -> Traveller:
            made = Traveller(tmp_path / (name or transport), source, transport, rsync_url=url, **keys)
            made.payloads.exports = type(made.payloads.exports)(tmp_path / "exports")
            return made

        yield make
