"""F12: every kind of error is brought about, and what is printed then is done: afterwards things are better, or the command
answers what it promises. Kinds come from the code; one that has no situation here fails."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.typed import of_hosts, of_requests
from tests.functional.typed.console import Console
from tests.functional.typed.follower import Situation, follow, kinds_in
from tests.support.repositories import Source, tree

SITUATIONS = {**of_requests.SITUATIONS, **of_hosts.SITUATIONS}
CASES = [
    pytest.param(kind, each, id=f"{kind}: {each.__name__}")
    for kind, situations in SITUATIONS.items()
    for each in situations
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """v3 has less than v2."""
    trees = [tree(a=str(n), b="b" * 50, **{f"more{m}": "m" for m in range(20)}) for n in range(3)]
    return Source(tmp_path_factory.mktemp("typed") / "source.git", *trees, tree(a="3"))


@pytest.fixture
def consoles(checkout: Path, tmp_path: Path, source: Source) -> Iterator[Iterator[Console]]:
    """One master and its hosts after the other, each new."""
    made: list[Console] = []

    def make() -> Iterator[Console]:
        for n in itertools.count():
            made.append(Console(checkout, tmp_path / str(n), source.copy(tmp_path / f"source{n}.git")))
            yield made[-1]

    yield make()
    for console in made:
        console.patch.undo()


@pytest.mark.parametrize(("kind", "situation"), CASES)
def test_F12_what_is_printed_leads_on(kind: str, situation: Situation, consoles: Iterator[Console]) -> None:
    for view in follow(kind, situation, consoles):
        assert kind in kinds_in(view), view
