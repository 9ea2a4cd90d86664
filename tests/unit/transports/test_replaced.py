"""A source in which somebody has replaced objects for himself: what travels is what the objects say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repositories import Source, git, tree
from tests.support.travels import TRANSPORTS
from tests.unit.transports.conftest import Travellers

pytestmark = pytest.mark.component("rsync's daemon, and payloads of every kind with their programs")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "replaced.git", *(tree(a=str(n), b="same", c__d="x" * n) for n in range(3)))
    for number in range(3):
        made.checked_out(number)  # by a git that honours what follows
    return made


def replace(source: Source, what: str) -> None:
    if what == "a commit":
        git(source.git_dir, "replace", source.tag(1).commit, source.tag(2).commit)
    elif what == "a blob":
        git(
            source.git_dir,
            "replace",
            *(git(source.git_dir, "rev-parse", f"v{n}:a").decode().strip() for n in (1, 0)),
        )
    else:
        (source.git_dir / "info").mkdir(exist_ok=True)
        (source.git_dir / "info/grafts").write_text(f"{source.tag(1).commit} {source.tag(2).commit}\n")


@pytest.mark.parametrize("what", ["a commit", "a blob", "a graft"])
@pytest.mark.parametrize(
    ("transport", "layout"),
    [*((each, "slots") for each in TRANSPORTS), ("bundle", "inplace"), ("git", "inplace")],
)
def test_F25_replaced_objects_are_not_followed(
    traveller: Travellers, source: Source, transport: str, layout: str, what: str
) -> None:
    replace(source, what)
    target = traveller(transport, source, layout=layout)
    for number in (0, 1, 2, 1):
        for result in target.travel(number):
            assert result.ok, result.error
        assert (target.location / "a").read_text() == str(number)
        assert layout == "inplace" or target.shows(number)
