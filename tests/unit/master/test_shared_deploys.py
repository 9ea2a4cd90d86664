"""A whole deploy by the master's own spine, without Salt: the root that it seals leaves out what hosts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repositories import Source, tree
from tests.unit.protocol.whole_deploys import Fleet


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    trees = [tree(index=str(n), uploads__README="git's", config__local="git's") for n in range(3)]
    return Source(tmp_path_factory.mktemp("source") / "source", *trees)


@pytest.mark.parametrize("layout", ["slots", "releases"])
def test_hosts_and_master_agree_on_releases_that_share(tmp_path: Path, source: Source, layout: str) -> None:
    shared = {"dirs": ["uploads"], "files": ["config/local"]}
    fleet = Fleet(tmp_path, source, hosts=("web1",), layout=layout, shared=shared)
    for tag in ("v0", "v1", "v2", "v1"):
        assert fleet.sync(tag).outcome.word == "CONVERGED"
    (place,) = tmp_path.rglob("shared/uploads/README")
    assert place.read_text() == "git's"
    assert any(path.startswith("area:shared/uploads") for path in fleet.seen)
