"""The release before is the one that was accepted before, in the order of epochs."""

from __future__ import annotations

from typing import Any

import pytest
from saltdeploy.master.records.lineage import lineage

from tests.unit.master.pasts import REPO, release

MIXED = {"outcome": "MIXED"}
NO = {"accepted": False}
BACK = {"action": "rollback"}
SOME = {"left_out": 2}


def versions(*story: Any) -> list[dict[str, Any]]:
    """Deploys, told the oldest first: a tag, or a tag and what is unusual."""
    told = []
    for tag, more in ((one, {}) if isinstance(one, str) else one for one in story):
        about = {"tag": tag, "commit": release(tag).commit, "action": "sync", "outcome": "CONVERGED"}
        told.append({**about, "accepted": True, "left_out": 0, "bad": "", **more})
    return told[::-1]


def left(tag: str) -> dict[str, Any]:
    """Hosts ran this when the deploy began, and this master knew nothing of that."""
    return {"left": {"tag": tag, "commit": release(tag).commit} if tag else {}}


@pytest.mark.parametrize(
    ("story", "before"),
    [
        pytest.param([], "", id="nothing was ever deployed"),
        pytest.param(["v1"], "", id="the first one"),
        pytest.param(["v1", "v2"], "v1", id="two"),
        pytest.param(["v1", ("v2", MIXED), ("v3", MIXED), ("v4", MIXED)], "v3", id="F51 within the limits"),
        pytest.param(["v1", "v2", ("v3", NO)], "v1", id="one that was not accepted"),
        pytest.param(["v1", "v2", "v2"], "v1", id="the same once more"),
        pytest.param(["v1", "v2", "v3", ("v2", BACK)], "v1", id="twice back is two back"),
        pytest.param(["v1", "v2", ("v1", BACK), "v3"], "v1", id="not to what it was rolled back from"),
        pytest.param(["v1", "v2", ("v2", {"action": "restart"})], "v1", id="a restart is no release"),
        pytest.param(["v1", ("v2", {"bad": "it burns"}), "v3"], "v1", id="not to a bad one"),
        # a limit
        pytest.param(["v1", ("v2", SOME)], "v1", id="a canary goes back"),
        pytest.param(["v1", ("v2", SOME), "v2"], "v1", id="a canary that was well, then all"),
        pytest.param(["v1", ("v2", SOME), "v3"], "v1", id="what only a canary had"),
        pytest.param(["v1", "v2", ("v1", BACK | SOME)], "v1", id="some are back already, now all"),
        pytest.param(["v0", "v1", ("v2", SOME), ("v1", BACK | SOME)], "v0", id="a canary is back"),
    ],
)
def test_the_release_before_is_what_was_accepted_before(story: list[Any], before: str) -> None:
    line = lineage(REPO, versions(*story))
    assert (line.before, line.is_broken) == (release(before) if before else None, False)


@pytest.mark.parametrize(
    ("story", "present", "before"),
    [
        pytest.param(["v1", ("v4", left("v3"))], "v4", "v3", id="F53 what hosts ran"),
        pytest.param(["v1", ("v4", left("v3")), ("v3", BACK)], "v3", "", id="F53 what was before that"),
        pytest.param(["v0", "v1", ("v2", left("v3") | BACK)], "v2", "", id="F53 back to what hosts held"),
        pytest.param(["v1", ("v4", left("v3") | NO)], "v3", "", id="F53 one that was not accepted"),
        pytest.param(["v1", ("v4", left(""))], "v4", "", id="F53 hosts ran different ones"),
        pytest.param(["v1", ("v4", left("v3")), "v5", ("v3", BACK)], "v3", "", id="F53 back to the gap"),
        pytest.param(["v0", "v1", ("v4", left("v3")), ("v1", BACK)], "v1", "", id="F53 back beyond the gap"),
    ],
)
def test_where_a_master_knew_nothing_of_deploys_it_does_not_guess(
    story: list[Any], present: str, before: str
) -> None:
    line = lineage(REPO, versions(*story))
    assert line.present == release(present)
    assert (line.before, line.is_broken) == (release(before), False) if before else (None, True)
