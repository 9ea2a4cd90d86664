"""From nothing to the first deploy, as README.md says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.factories import Factories
from tests.integration.setups import Setup

TAG = "release/2026-11-23/1"


@pytest.fixture
def fresh(factories: Factories, short_directory: Path, checkout: Path) -> Iterator[Setup]:
    """A master and a minion that know nothing of this project."""
    directory = short_directory / "fresh"
    directory.mkdir()
    with Setup(factories, directory, checkout, ("web1",)).running() as setup:
        yield setup


def quick_start(checkout: Path, srv: Path) -> list[str]:
    """The command lines of README's quick start, below another directory than ``/srv``."""
    (block,) = [
        found
        for found in re.findall(r"```bash\n(.*?)```", (checkout / "README.md").read_text(), re.DOTALL)
        if "deploy.init" in found
    ]
    lines = [line.partition(" #")[0].strip() for line in block.splitlines()]
    return [line.replace("/srv/", f"{srv}/") for line in lines if line]


def test_the_quick_start_of_the_readme_leads_to_the_first_release(fresh: Setup, checkout: Path) -> None:
    fresh.source("mediawiki", TAG)
    lines = quick_start(checkout, fresh.srv)
    assert [word for line in lines for word in ("init", "doctor", "sync ") if f"deploy.{word}" in line] == [
        "init",
        "doctor",
        "sync ",
    ]
    for line in lines:
        done = fresh.type(line)
        assert done.status == 0, f"{line}\n{done.said}"
    assert "CONVERGED 1/1" in done.said
    assert (fresh.srv / "www/mediawiki/index").read_text() == "one\n"
