"""What a host's answer to a stage says of a repo."""

from __future__ import annotations

from dataclasses import replace

import pytest
from saltdeploy.protocol.answers import Look
from saltdeploy.protocol.holdings import Holdings
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.result import Result

RELEASE = Release("demo", "v1", "a" * 40)
THERE = Holdings(live=RELEASE.commit, held=(RELEASE.commit,), tags={RELEASE.commit: RELEASE.tag})


@pytest.mark.parametrize(
    ("held", "unchanged"),
    [
        pytest.param(THERE, True, id="live and well"),
        pytest.param(replace(THERE, unsettled=True), False, id="unsettled"),
        pytest.param(replace(THERE, damaged=True), False, id="F11-damaged"),
        pytest.param(replace(THERE, live=""), False, id="not live"),
    ],
)
def test_only_a_host_that_is_well_need_not_switch(held: Holdings, unchanged: bool) -> None:
    assert Look.of(RELEASE, Result("web1", "demo", holdings=held)).unchanged is unchanged
