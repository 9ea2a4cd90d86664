"""Who looks on at a deploy tells it something, as far as they may and as long as it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.lib import flock
from saltdeploy.lib.errors import NoSuchDeploy, NotAllowed
from saltdeploy.master.running.operator import OperatorSignals
from saltdeploy.master.running.steering import Steering

from tests.support.journals import DEPLOY


def refuse(what: str) -> None:
    raise NotAllowed(f"bob may not {what}")


def test_the_first_word_counts(tmp_path: Path) -> None:
    alice, bob = (Steering(tmp_path, "demo", DEPLOY, user) for user in ("alice", "bob"))
    with flock.alone(tmp_path / "lock" / "demo"):
        assert (alice.answer("q1", "yes"), bob.answer("q1", "no")) == (True, False)
        assert (alice.abort(""), bob.abort("me too")) == (True, False)
    signals = OperatorSignals(tmp_path, "demo", DEPLOY)
    assert (signals.answered("q1").user, signals.answered("q1").text) == ("alice", "yes")  # type: ignore[union-attr]
    assert (signals.aborted().user, alice.stops) == ("alice", True)  # type: ignore[union-attr]


@pytest.mark.parametrize("what", ["abort", "answer"])
def test_who_may_not_tells_nothing(tmp_path: Path, what: str) -> None:
    bob = Steering(tmp_path, "demo", DEPLOY, "bob", refuse)
    with flock.alone(tmp_path / "lock" / "demo"), pytest.raises(NotAllowed, match=what):
        bob.abort("x") if what == "abort" else bob.answer("q1", "yes")
    signals = OperatorSignals(tmp_path, "demo", DEPLOY)
    assert (signals.aborted(), signals.answered("q1"), bob.stops) == (None, None, False)


def test_a_deploy_without_a_process_is_told_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(NoSuchDeploy, match="does not run"):
        Steering(tmp_path, "demo", DEPLOY, "alice").answer("q1", "yes")
