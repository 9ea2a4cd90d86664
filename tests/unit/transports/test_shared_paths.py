"""Every transport brings what a release has at shared paths once, and nothing of it later; roots are the master's."""

from __future__ import annotations

import pytest
from saltdeploy import layouts
from saltdeploy.minion import stages

from tests.support.travels import ODD, TRANSPORTS
from tests.unit.transports.conftest import Travellers

pytestmark = pytest.mark.component("rsync's daemon, and payloads of every kind with their programs")

SHARED = {"dirs": ["many", "sub", "empty-at-first"], "files": ["big", "plain"]}


@pytest.mark.parametrize("layout", ["slots", "releases"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_releases_copy_comes_once_and_stays_the_users(
    traveller: Travellers, transport: str, layout: str
) -> None:
    target = traveller(transport, layout=layout, keep_releases=2, shared=SHARED)
    for number in (0, 1, 3, 2, 0, 1):
        for result in target.travel(number):
            assert result.ok, result.error
        seal = target.seal(number)
        assert seal is not None
        roots = stages.status(target.repo, target.host).holdings.roots
        assert roots[target.source.tag(number).commit] == seal.root
        assert layouts.of(target.repo).verify(full=True).ok
        if number == 0:
            (target.location / "many/theirs").write_text("theirs")
            (target.location / "plain").write_text("theirs")
        assert (target.location / "many/theirs").read_text() == "theirs"
        assert (target.location / "plain").read_text() == "theirs"
        assert (target.location / "big").read_bytes() == ODD[b"big"].data
        assert (target.location / "many/000").read_bytes() == ODD[b"many/000"].data
